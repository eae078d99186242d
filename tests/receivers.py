"""Who gets nightcast's messages in tests: a web server and a mail server, both on 127.0.0.1."""

from __future__ import annotations

import base64
import json
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


class Webhook(ThreadingHTTPServer):
    """Keeps what is posted to it."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Post)
        self.got: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.names: list[str | None] = []
        self.status = 200
        self.statuses: dict[str, int] = {}
        """What to answer to some texts; 0: to hang up on them."""
        self.awake = Event()
        self.awake.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    @property
    def kinds(self) -> list[str]:
        return [told["event"].removeprefix("nightcast.") for told in self.got]


class _Post(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.awake.wait(60)
        self.server.paths.append(self.path)
        self.server.names.append(self.headers["Idempotency-Key"])
        self.server.got.append(told := json.loads(body))
        if status := self.server.statuses.get(told["text"], self.server.status):
            self.send_response(status)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a sender needs; keeps letters, and who logged in."""

    daemon_threads = allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Letters)
        self.letters: list[bytes] = []
        self.logins: list[str] = []
        self.verdict = "250 kept"
        """What it says to a letter; empty: it hangs up."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Letters(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                self._say("250-here", "250 AUTH PLAIN")
            elif word == "AUTH":
                self.server.logins.append(base64.b64decode(line.split()[2]).decode().replace("\0", " ").strip())
                self._say("235 welcome")
            elif word == "DATA":
                self._say("354 go on")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part)
                self.server.letters.append(b"".join(lines))
                if not self.server.verdict:
                    return
                self._say(self.server.verdict)
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def receiving(server: Webhook | MailServer) -> Iterator[None]:
    """The server answers while the block runs."""
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        if isinstance(server, Webhook):
            server.awake.set()
        server.shutdown()
        server.server_close()


@contextmanager
def webhook(port: int = 0) -> Iterator[Webhook]:
    """A web server that keeps what is posted to it."""
    server = Webhook(port)
    with receiving(server):
        yield server


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A mail server that keeps its letters."""
    server = MailServer()
    with receiving(server):
        yield server
