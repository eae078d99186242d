"""The two dashboards behind a guard: `uvicorn --factory deployments.guarded:prefect`, and `…:mlflow`.

A request has to name a host that is ours, must not come from a page of another site, and, where `[server] auth` asks
for a login, has to bring it. Prefect asks for the login itself, and its pages have a form for it. Pages of ours
fetch no data and no picture from elsewhere: what they would like to tell their makers stays here.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.access import HOSTS, SERVERS_LOGIN

_HEALTH = "/health"
_ASK_NOBODY_ELSE = (
    b"content-security-policy",
    b"connect-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; form-action 'self'",
)


class SameSite:
    """Refuses what a page of another site sends through a visitor's browser, which names that site as its origin.

    And forbids our own pages to ask another site.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        origin = Headers(scope=scope).get("origin") if scope["type"] in ("http", "websocket") else None
        if origin is not None and urlsplit(origin).hostname not in self._hosts:
            await _refuse(scope, receive, send, "pages of other sites may not ask here", 403)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), _ASK_NOBODY_ELSE]
            await send(message)

        await self._app(scope, receive, send_on)


class Login:
    """Asks for a name and a password, as HTTP's basic authentication does; whether it is well, it tells everybody."""

    def __init__(self, app: ASGIApp, login: str) -> None:
        self._app = app
        self._wanted = b"Basic " + base64.b64encode(login.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] in ("http", "websocket") and scope["path"] != _HEALTH:
            brought = Headers(scope=scope).get("authorization", "")
            if not hmac.compare_digest(brought.encode(), self._wanted):
                await _refuse(scope, receive, send, "a login is needed", 401)
                return
        await self._app(scope, receive, send)


def prefect() -> ASGIApp:
    """Prefect's server, as `prefect server start` makes it."""
    from prefect.server.api.server import create_app

    return guarded(create_app(final=True), _hosts())


def mlflow() -> ASGIApp:
    """MLflow's, as `mlflow server` makes it."""
    hosts = _hosts()
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    os.environ["MLFLOW_SERVER_ALLOWED_HOSTS"] = _at_any_port(hosts)
    os.environ["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = _at_any_port(origins)
    from mlflow.server.fastapi_app import app

    return guarded(app, hosts, os.environ.get(SERVERS_LOGIN))


def guarded(app: ASGIApp, hosts: Sequence[str], login: str | None = None) -> ASGIApp:
    """An application that answers only those who may ask."""
    return TrustedHostMiddleware(SameSite(Login(app, login) if login else app, hosts), hosts, www_redirect=False)


def _hosts() -> list[str]:
    return os.environ[HOSTS].split(",")


def _at_any_port(names: Sequence[str]) -> str:
    return ",".join([*names, *(f"{name}:*" for name in names)])


async def _refuse(scope: Scope, receive: Receive, send: Send, why: str, status: int) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why})
        return
    headers = {"WWW-Authenticate": 'Basic realm="nightcast"'} if status == 401 else None
    await PlainTextResponse(f"{why}\n", status, headers)(scope, receive, send)
