"""Servers and databases that a team has already, as `[server] prefect` and `[server] mlflow` name them.

What each of the two may say: nothing, and all is in the workspace; `postgresql://…`, the database of a server that we
start ourselves; `http://…` or `https://…`, a server that somebody else runs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from lstm_model.errors import NightcastError, SettingsError, first_line
from lstm_model.secrets import Secrets

if TYPE_CHECKING:  # `nightcast up` itself stays small
    from lstm_model.settings import ServerSettings

Which = Literal["prefect", "mlflow"]
PATIENCE_SECONDS = 30.0
_POSTGRES = "postgresql://"
_REFUSED = re.compile("FATAL: +(?!the database system|terminating connection)")
"""What a database says that time does not heal: a wrong password, no such database."""
_CONNECT_SECONDS = 5
_LOOK_SECONDS = 0.5


def elsewhere(server: ServerSettings, which: Which) -> str | None:
    """Address of a server that somebody else runs, without its login; None where there is none.

    >>> from lstm_model.settings import ServerSettings
    >>> elsewhere(ServerSettings(mlflow="https://me:${PASSWORD}@mlflow.lan/team/"), "mlflow")
    'https://mlflow.lan/team'
    """
    scheme, separator, rest = getattr(server, which).partition("://")
    if scheme not in ("http", "https"):
        return None
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}".rstrip("/")


def place(server: ServerSettings, which: Which) -> str:
    """What tells a database or a server elsewhere from others, whoever logs in; empty for the workspace's own.

    >>> from lstm_model.settings import ServerSettings
    >>> place(ServerSettings(mlflow="postgresql://me:${PASSWORD}@db.lan/mlflow?sslmode=require"), "mlflow")
    'postgresql://db.lan/mlflow'
    """
    told = urlsplit(getattr(server, which))
    return told._replace(netloc=told.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")


def login(server: ServerSettings, which: Which, environment: Mapping[str, str]) -> str:
    """`user:password` that a server elsewhere asks for: what its address says, else `auth`; empty for none.

    Raises:
        SettingsError: the password stands there itself, or the environment does not say what it refers to.
    """
    secrets, told = Secrets("server", environment), getattr(server, which)
    secrets.refuse_plain(which, told)
    user, at, _ = urlsplit(told).netloc.rpartition("@")
    if elsewhere(server, which) and at:
        return secrets.reveal(which, user)
    return secrets.reveal("auth", server.auth) if server.auth else ""


def database(server: ServerSettings, which: Which, environment: Mapping[str, str], driver: str) -> str | None:
    """URL of the database that `which` names, to be read with that driver; None where it names none.

    >>> from lstm_model.settings import ServerSettings
    >>> told = ServerSettings(prefect="postgresql://me:${PASSWORD}@db/prefect?sslmode=require")
    >>> database(told, "prefect", {"PASSWORD": "a/b"}, "asyncpg")
    'postgresql+asyncpg://me:a%2Fb@db/prefect?ssl=require'

    Raises:
        SettingsError: the password stands there itself, or the environment does not say what it refers to.
    """
    told = getattr(server, which)
    if not told.startswith(_POSTGRES):
        return None
    revealed = Secrets("server", environment).reveal_in_url(which, told)
    if driver == "asyncpg":  # the same words under another name
        revealed = revealed.replace("sslmode=", "ssl=")
    return f"postgresql+{driver}://{revealed.removeprefix(_POSTGRES)}"


def reach_database(
    server: ServerSettings, which: Which, environment: Mapping[str, str], patience: float = PATIENCE_SECONDS
) -> str:
    """See that the database that `which` names answers; what it is, in words. One that is on its way up is waited for.

    Raises:
        NightcastError: it does not, and why; no secret is in that line.
        SettingsError: as above, or its driver is not installed.
    """
    try:
        import psycopg
    except ImportError:
        raise SettingsError(
            f"server.{which}: the driver 'psycopg' is not installed. Run: pip install 'psycopg[binary]'."
        ) from None
    secrets = Secrets("server", environment)
    url = secrets.reveal_in_url(which, getattr(server, which))
    shown, deadline = url.rpartition("@")[2].partition("?")[0], time.monotonic() + patience
    while True:
        try:
            with psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
                return f"PostgreSQL {connection.info.server_version // 10000} at {shown}"
        except psycopg.Error as error:
            if time.monotonic() > deadline or _REFUSED.search(str(error)):
                told = secrets.hide(first_line(error))
                raise NightcastError(
                    f"server.{which}: the database at {shown} cannot be opened: {told}; see [server] in nightcast.toml"
                ) from None
        time.sleep(_LOOK_SECONDS)
