"""A PostgreSQL server of a test's own: a temporary folder, a free port, this machine only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from servers import free_port

_DEBIANS = Path("/usr/lib/postgresql")
_OWNER = "postgres"  # PostgreSQL refuses to be run by root
_QUICK = {"fsync": "off", "unix_socket_directories": "", "listen_addresses": "127.0.0.1"}


@dataclass(frozen=True)
class Postgres:
    """Where it listens. Anybody on this machine may come in as `postgres`."""

    port: int
    control: tuple[str, ...] = ()
    """`pg_ctl` for its folder."""

    @property
    def url(self) -> str:
        return f"postgresql://{_OWNER}@127.0.0.1:{self.port}/{_OWNER}"

    def connect(self, **settings: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True, **settings)

    def restart(self) -> None:
        """Stop it as an update does, whatever is asked meanwhile, and start it again."""
        subprocess.run([*self.control, "-m", "fast", "restart"], check=True, cwd="/", stdout=subprocess.DEVNULL)

    def does(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Debian's newest PostgreSQL, ready when the block begins and gone when it ends."""
    programs = max(_DEBIANS.glob("*/bin"), key=lambda folder: int(folder.parent.name), default=None)
    assert programs is not None, "PostgreSQL is missing: apt-get install postgresql"
    folder = Path(tempfile.mkdtemp(prefix="nightcast-postgres-"))  # outside of pytest's, which only root may enter
    port, by_owner = free_port(), []
    if os.geteuid() == 0:
        shutil.chown(folder, _OWNER, _OWNER)
        by_owner = ["setpriv", f"--reuid={_OWNER}", f"--regid={_OWNER}", "--clear-groups", "--"]
    data = str(folder / "data")
    told = [word for name, value in {**_QUICK, "port": str(port)}.items() for word in ("-c", f"{name}={value}")]
    control = [*by_owner, str(programs / "pg_ctl"), "-D", data, "-w"]

    def run(*command: str) -> None:
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run(*by_owner, str(programs / "initdb"), "-D", data, "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--no-sync")
        run(*control, "-l", str(folder / "log"), "-o", " ".join(told), "start")
        try:
            yield Postgres(port, (*control, "-l", str(folder / "log")))
        finally:
            run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
