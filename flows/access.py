"""Who may ask the dashboards, as `[server]` says it: told to the servers, and to everything that asks them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lstm_model.errors import SettingsError
from lstm_model.loopback import is_loopback
from lstm_model.secrets import Secrets
from lstm_model.servers import elsewhere
from lstm_model.servers import login as login_at

if TYPE_CHECKING:  # `nightcast up` itself stays small
    from lstm_model.settings import ServerSettings

HOSTS, LOGIN, SERVERS_LOGIN = "NIGHTCAST_HOSTS", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"
"""Environment variables that say who may ask: names, separated by commas, and `user:password`, if any.

One says what programs of ours bring to Prefect's server, the other what our own servers ask for.
"""
_HERE = ("127.0.0.1", "localhost")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - where a server listens is no address to go to


def address_of(host: str) -> str:
    """Where this machine finds what listens at `host`."""
    return "127.0.0.1" if host in _EVERYWHERE else host


def login() -> tuple[str, str] | None:
    """Name and password that this process was told of."""
    name, _, password = os.environ.get(LOGIN, "").partition(":")
    return (name, password) if password else None


def access(server: ServerSettings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What servers and clients of this workspace are told of the login, in their environment.

    Raises:
        SettingsError: the environment does not say what `auth` refers to, or it is no login.
    """
    theirs = login_at(server, "prefect", environment) if elsewhere(server, "prefect") else ""
    if not server.auth:
        return {LOGIN: theirs} if theirs else {}
    told = Secrets("server", environment).reveal("auth", server.auth)
    if not all(told.partition(":")):
        raise SettingsError("server: auth must stand for a name and a password, as in user:password.")
    return {LOGIN: theirs or told, SERVERS_LOGIN: told}


def forget_logins() -> None:
    """Forget what this process was told of another server's login."""
    for name in (LOGIN, SERVERS_LOGIN):
        os.environ.pop(name, None)


def access_for_servers(server: ServerSettings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The same, and by which names the servers may be asked.

    Raises:
        SettingsError: as above, or other machines could ask without a login, or by no name at all.
    """
    found = access(server, environment)
    if not is_loopback(server.host):
        if SERVERS_LOGIN not in found:
            raise SettingsError(
                f"server.host = {server.host!r} lets other machines in, without a login. Write "
                'auth = "${DASHBOARD_LOGIN}" under [server] and set DASHBOARD_LOGIN=user:password in the environment.'
            )
        if server.host in _EVERYWHERE and not server.allowed_hosts:
            raise SettingsError(
                f"server.host = {server.host!r} needs server.allowed_hosts: the names or addresses of this machine "
                "that people write into their browser."
            )
    own = () if server.host in _EVERYWHERE else (server.host,)
    return found | {HOSTS: ",".join(dict.fromkeys([*_HERE, *own, *server.allowed_hosts]))}
