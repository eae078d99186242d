"""Who may ask the dashboards: what `[server]` refuses, and what the guard in front of both answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from deployments.guarded import guarded
from flows.access import access, access_for_servers
from lstm_model.errors import SettingsError
from lstm_model.settings import ServerSettings

LOGIN = {"DASHBOARD_LOGIN": "ada:difference engine"}
AUTH = "${DASHBOARD_LOGIN}"


def test_this_machine_alone_needs_no_login() -> None:
    for host in ("127.0.0.1", "localhost", "127.0.0.2"):
        assert access_for_servers(ServerSettings(host=host), {}).keys() == {"NIGHTCAST_HOSTS"}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "sensors.example.org", "::"])
def test_other_machines_do_not_come_in_without_a_login(host: str) -> None:
    with pytest.raises(SettingsError, match=r"without a login\. Write auth = ") as refusal:
        access_for_servers(ServerSettings(host=host, allowed_hosts=("sensors",)), {})
    assert "\n" not in str(refusal.value)


def test_where_everybody_may_knock_the_names_have_to_be_said() -> None:
    with pytest.raises(SettingsError, match=r"needs server\.allowed_hosts"):
        access_for_servers(ServerSettings(host="0.0.0.0", auth=AUTH), LOGIN)
    told = access_for_servers(ServerSettings(host="0.0.0.0", auth=AUTH, allowed_hosts=("sensors.lan",)), LOGIN)
    assert told == {
        "PREFECT_API_AUTH_STRING": "ada:difference engine",
        "PREFECT_SERVER_API_AUTH_STRING": "ada:difference engine",
        "NIGHTCAST_HOSTS": "127.0.0.1,localhost,sensors.lan",
    }


@pytest.mark.parametrize(
    ("auth", "environment", "refusal"),
    [
        ("ada:1234", {}, "auth holds a secret"),
        (AUTH, {}, "DASHBOARD_LOGIN"),
        (AUTH, {"DASHBOARD_LOGIN": "1234"}, "a name and a password"),
        (AUTH, {"DASHBOARD_LOGIN": "ada:"}, "a name and a password"),
    ],
)
def test_a_login_comes_from_the_environment_and_is_whole(auth: str, environment: dict[str, str], refusal: str) -> None:
    with pytest.raises(SettingsError, match=refusal) as error:
        access(ServerSettings(auth=auth), environment)
    assert "1234" not in str(error.value)


def test_a_name_that_a_browser_never_says_is_refused() -> None:
    assert ServerSettings(allowed_hosts=("Sensors.LAN",)).allowed_hosts == ("sensors.lan",)
    for name in ("sensors.lan:4200", "*.lan", "fd00::5", ""):
        with pytest.raises(ValueError, match="is no name or IPv4 address"):
            ServerSettings(allowed_hosts=(name,))


async def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("in")


async def _speak(events: WebSocket) -> None:
    await events.accept()
    await events.send_text("in")
    await events.close()


@contextmanager
def _served(login: str | None = None) -> Iterator[httpx.Client]:
    """A guarded application on a port of this machine, and a program that asks it."""
    answers = [Route(path, _answer, methods=["GET", "POST"]) for path in ("/", "/health")]
    app = Starlette(routes=[*answers, WebSocketRoute("/events", _speak)])
    server = uvicorn.Server(uvicorn.Config(guarded(app, ["127.0.0.1", "sensors.lan"], login), log_level="critical"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=address, transport=httpx.HTTPTransport(retries=5), trust_env=False) as client:
            yield client
        server.should_exit = True
        thread.join()


def _hears(client: httpx.Client, **headers: str) -> str | int:
    """What the socket at /events says, or the status it is refused with."""
    address = f"ws://{client.base_url.netloc.decode()}/events"
    try:
        with connect(address, additional_headers=headers, proxy=None) as events:
            return str(events.recv())
    except InvalidStatus as refusal:
        return refusal.response.status_code


def test_a_forged_host_is_refused() -> None:
    with _served() as client:
        assert client.get("/", headers={"Host": "sensors.lan:4200"}).text == "in"
        for name in ("evil.example", "127.0.0.1.evil.example", ""):
            assert client.get("/", headers={"Host": name}).status_code == 400


def test_what_a_page_of_another_site_sends_is_refused() -> None:
    with _served() as client:
        for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example"):
            assert client.post("/", headers={"Origin": origin}).status_code == 403
            assert client.get("/", headers={"Origin": origin}).status_code == 403
            assert _hears(client, Origin=origin) == 403
        assert client.post("/", headers={"Origin": "http://127.0.0.1:4200"}).text == "in"
        assert client.post("/").text == "in", "a program has no origin"
        assert _hears(client, Origin="http://sensors.lan:4200") == "in"


def test_a_page_of_ours_asks_nobody_else() -> None:
    with _served() as client:
        rules = client.get("/").headers["Content-Security-Policy"].split("; ")
        assert {"connect-src 'self'", "img-src 'self' data: blob:", "form-action 'self'"} <= set(rules)


def test_a_login_is_asked_for_everywhere_but_at_the_health() -> None:
    with _served("ada:difference engine") as client:
        refused = client.get("/")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="nightcast"')
        assert client.get("/", auth=("ada", "wrong")).status_code == 401
        assert client.get("/", auth=("ada", "difference engine")).text == "in"
        assert client.get("/health").text == "in"
        assert _hears(client) == 403
