"""A weather service on 127.0.0.1 that answers as Open-Meteo does, once it has played its pranks."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

Prank = Callable[[BaseHTTPRequestHandler, bytes], None]


class WeatherServer(ThreadingHTTPServer):
    """Knows `truth[station][hour]`; an hour it does not know is null. Each request uses up one prank."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.truth: list[dict[datetime, float | None]] = [{}]
        self.pranks: deque[Prank] = deque()
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.more: dict[str, list[object]] = {}
        self.units = {"time": "iso8601", "temperature_2m": "°C"}
        self.offset_seconds: int | None = 0
        self.unixtime = False
        self.hung_up_on = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/archive"

    def answer(self, asked: dict[str, str]) -> object:
        """What an honest server says for these parameters."""
        first, last = (datetime.fromisoformat(asked[key]).replace(tzinfo=UTC) for key in ("start_date", "end_date"))
        hours = [first + timedelta(hours=hour) for hour in range(int((last - first).days + 1) * 24)]
        shift = timedelta(seconds=self.offset_seconds or 0)
        hours = [hour - shift for hour in hours]  # days are the answer's own
        parts = [self._part(station, hours, shift, asked) for station in self.truth]
        return parts if len(parts) > 1 else parts[0]

    def _part(self, station: dict[datetime, float | None], hours: list[datetime], shift: timedelta,
              asked: dict[str, str]) -> dict[str, object]:  # fmt: skip
        times = [int(hour.timestamp()) if self.unixtime else f"{hour + shift:%Y-%m-%dT%H:%M}" for hour in hours]
        temperatures = [station.get(hour) for hour in hours]
        further = {name: values * len(hours) for name, values in self.more.items() if name in asked["hourly"]}
        offset = {} if self.offset_seconds is None else {"utc_offset_seconds": self.offset_seconds}
        return {
            "latitude": 1.0, "longitude": 2.0, **offset, "hourly_units": self.units,
            "hourly": {"time": times, "temperature_2m": temperatures, **further},
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WeatherServer

    def do_GET(self) -> None:
        self.close_connection = True
        parts = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.server.asked.append(asked)
        self.server.paths.append(self.path)
        self.server.headers.append(dict(self.headers))
        body = json.dumps(self.server.answer(asked)).encode() if "start_date" in asked else b"{}"
        try:
            if self.server.pranks:
                self.server.pranks.popleft()(self, body)
            else:
                say(self, 200, body)
        except (BrokenPipeError, ConnectionResetError):
            self.server.hung_up_on.set()

    def log_message(self, *_: object) -> None:
        pass


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def fails(status: int = 500, body: bytes = b"oops", **headers: str) -> Prank:
    return lambda handler, _: say(handler, status, body, **headers)


def busy_until_later(seconds: int) -> Prank:
    """429 with a date, and a clock that is wrong by years: only the distance counts."""

    def prank(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.date_time_string = lambda *_: format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)  # type: ignore[method-assign]
        later = format_datetime(datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds), usegmt=True)
        say(handler, 429, b"", Retry_After=later)

    return prank


def cuts_the_body(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    say(handler, 200, body[: len(body) // 2], length=len(body))


def cuts_the_json(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    say(handler, 200, body[: len(body) // 2])


def damages_the_gzip(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    say(handler, 200, b"\x1f\x8b" + body[:50], Content_Encoding="gzip")


def hangs_up(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.close_connection = True


def drips(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    """A byte now and then: no single read takes long."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    _slowly(handler, body)


def drips_headers(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _slowly(handler, b"z" * 500 + b"\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def _slowly(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    for byte in body[:500]:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.02)
    handler.wfile.write(body[500:])


def sends_elsewhere(address: str, status: int = 302) -> Prank:
    return lambda handler, _: say(handler, status, b"", Location=address)


def says(text: str) -> Prank:
    return lambda handler, _: say(handler, 200, text.encode())


@contextmanager
def weather_server() -> Iterator[WeatherServer]:
    with WeatherServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
