"""Whose turn it is: one server on Prefect's database, one night at a time.

Whoever runs a server for a workspace, `nightcast up` or a command that brings its own, holds `server.lock` as long as
it lives, and says in `server.json` who it is. Locks die with their process, so what a lock's next holder finds in that
file is what a killed one left behind.
"""

from __future__ import annotations

import atexit
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from filelock import FileLock, Timeout

from flows.one_night import one_night
from flows.processes import command_of, end_processes, processes
from lstm_model.errors import NightcastError
from lstm_model.loopback import is_loopback
from lstm_model.whole import write_text_whole

UP = "nightcast up"
PATIENCE_SECONDS = 30 * 60.0
_TENANT_FILE, _LOCK_FILE = "server.json", "server.lock"
_OURS = ("prefect", "mlflow", "deployments.")
_ROOM_BYTES = 1 << 20
_SHY_SECONDS = 3.0
_SUPERVISOR = "deployments.up"
_HEALTH_SECONDS = 2.0
_ELSEWHERE_SECONDS = 30.0
_LOOK_SECONDS = 0.5
_held: dict[Path, FileLock] = {}


class Place(Protocol):
    """What is needed of a workspace here; `nightcast up` itself never loads the settings."""

    @property
    def home(self) -> Path:
        """The workspace's folder."""

    @property
    def state(self) -> Path:
        """Folder of nightcast's own bookkeeping."""


@dataclass(frozen=True)
class Tenant:
    """Who runs a server for this workspace."""

    pid: int
    command: str
    prefect_api: str | None = None
    """Address of the API, once it answers; None for a server that others may not use."""
    mlflow: str | None = None
    parts: dict[str, int] = field(default_factory=dict)
    """Processes that must not outlive it, by name; each leads a group, or is alone."""

    @property
    def dashboard(self) -> str | None:
        """Where a person looks at it."""
        return None if self.prefect_api is None else self.prefect_api.removesuffix("/api")

    def is_alive_in(self, place: Place) -> bool:
        """Whether the process is there, and is the one that wrote this workspace's file: numbers are used again."""
        there = command_of(self.pid)
        if self.command == UP:
            return _SUPERVISOR in there and str(place.home) in there
        return "nightcast" in there or "flows.commands" in there

    def write(self, place: Place) -> None:
        """Tell the others; replaced in one step."""
        write_text_whole(place.state / _TENANT_FILE, json.dumps(asdict(self)))

    def end_parts(self) -> None:
        """End what outlived it, at once: nobody is left to wait for it, and asked politely it may stay."""
        pids = set(self.parts.values())
        left = [process for process in processes() if process.pid in pids or process.group in pids]
        end_processes([process.pid for process in left if any(word in process.command for word in _OURS)])


def tenant_of(place: Place) -> Tenant | None:
    """Who runs a server here, or did last."""
    try:
        told = json.loads((place.state / _TENANT_FILE).read_text(encoding="utf-8"))
        return Tenant(**told)
    except (OSError, ValueError, TypeError):
        return None


def live_tenant(place: Place) -> Tenant | None:
    """A `nightcast up` of this workspace that lives, whether or not it is ready."""
    tenant = tenant_of(place)
    return tenant if tenant is not None and tenant.command == UP and tenant.is_alive_in(place) else None


def live_api(place: Place) -> str | None:
    """API address of a running `nightcast up` in this workspace, or None."""
    tenant = live_tenant(place)
    if tenant is None or tenant.prefect_api is None:
        return None  # without the process, whatever answers on that port by now is somebody else's
    return tenant.prefect_api if answers(tenant.prefect_api) else None


def is_own_server(place: Place, api: str | None) -> bool:
    """Whether a process that runs flows against `api` has this workspace's own server; None is an embedded one."""
    return not api or api == live_api(place)


def answers(address: str, *, by_proxy: bool = False, seconds: float = _HEALTH_SECONDS) -> bool:
    """Whether a Prefect API or an MLflow UI is there; only what runs elsewhere may be behind a proxy.

    A server that refuses, such as one with a guard that wants a login even for this, is there all the same.
    """
    try:
        told = httpx.get(f"{address}/health", timeout=seconds, trust_env=by_proxy)
    except httpx.HTTPError:
        return False
    return not told.is_server_error


def wait_for_elsewhere(
    which: str, address: str, tell: Callable[[str], None], patience: float = _ELSEWHERE_SECONDS
) -> None:
    """Wait until a server that somebody else runs answers.

    Args:
        which: the setting that names it, `prefect` or `mlflow`.
        address: where it is.
        tell: hears, once, for whom we wait.
        patience: seconds.

    Raises:
        NightcastError: it does not.
    """
    began, told = time.monotonic(), False
    while not answers(address, by_proxy=not is_loopback(urlsplit(address).hostname or "")):
        if time.monotonic() - began > patience:
            raise NightcastError(
                f"server.{which}: {address} does not answer; start that server, or mend {which} under [server]"
            )
        if not told:
            tell(f"waiting for {address} …")
            told = True
        time.sleep(_LOOK_SECONDS)


def take_turn(
    place: Place,
    command: str,
    tell: Callable[[str], None],
    *,
    check: Callable[[], None] = lambda: None,
    patience: float = PATIENCE_SECONDS,
) -> str | None:
    """Become the only one to run a server here, or find the one of `nightcast up`.

    Args:
        place: the workspace.
        command: who asks, such as `nightcast run`.
        tell: hears, once, for whom we wait.
        check: asked again and again while we wait; raises when waiting has become pointless.
        patience: seconds.

    Returns:
        The API of a running `nightcast up`; None when the turn is ours, which it stays until this process ends.

    Raises:
        NightcastError: waited in vain, or `up` was asked for and is there.
    """
    if place.state in _held:
        return None
    make_folder(place.state)
    lock = FileLock(place.state / _LOCK_FILE, timeout=0)
    began, told = time.monotonic(), False
    while True:
        check()
        try:
            lock.acquire()
        except Timeout:
            tenant = tenant_of(place)
        else:
            break
        if tenant is not None and not tenant.is_alive_in(place):
            tenant = None  # the file of the one before; its successor has not written yet
        if command == UP:
            refuse_second_up(place, tenant)
        elif tenant is not None and tenant.command == UP and tenant.prefect_api and answers(tenant.prefect_api):
            return tenant.prefect_api
        waited = time.monotonic() - began
        if waited > patience:
            raise NightcastError(_in_vain(tenant, patience))
        if not told and (waited > _SHY_SECONDS or (tenant is not None and waited > 0.0)):
            tell(_waiting(tenant))
            told = True
        time.sleep(_LOOK_SECONDS)
    _held[place.state] = lock
    end_leftovers(place)
    atexit.register((place.state / _TENANT_FILE).unlink, missing_ok=True)  # what Prefect registers later goes first
    return None


def make_folder(folder: Path) -> None:
    """Make a folder that can be written to, and see that it can.

    Raises:
        NightcastError: no room, or no right.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "room").open("wb") as probe:
            probe.write(bytes(_ROOM_BYTES))
        (folder / "room").unlink(missing_ok=True)
    except OSError as error:
        raise NightcastError(
            f"{folder} cannot be written to: {error.strerror}; free some space, or give this user the right"
        ) from None


def refuse_second_up(place: Place, tenant: Tenant | None) -> None:
    """One `up` is enough.

    Raises:
        NightcastError: `tenant` is one.
    """
    if tenant is not None and tenant.command == UP:
        where = f"up already, at {tenant.dashboard}" if tenant.dashboard else "on its way up already"
        raise NightcastError(f"{place.home} is {where} (process {tenant.pid}); `nightcast down` stops it")


def is_anybodys_turn(place: Place) -> bool:
    """Whether somebody runs a server here.

    Raises:
        NightcastError: this user may not ask.
    """
    if not (place.state / _LOCK_FILE).is_file():
        return False
    try:
        with FileLock(place.state / _LOCK_FILE, timeout=0):
            return False
    except Timeout:
        return True
    except PermissionError:
        raise NightcastError(
            f"{place.state / _LOCK_FILE} is another user's; ask that user, or be given the right to write there"
        ) from None


def end_leftovers(place: Place) -> None:
    """End what a killed one left running; for whoever has the turn, and so knows that nobody else has."""
    last = tenant_of(place)
    (place.state / _TENANT_FILE).unlink(missing_ok=True)
    if last is not None:
        last.end_parts()


def check_no_night(place: Place) -> None:
    """See whether a night is under way, before anything is started for another.

    Raises:
        NightcastError: one is.
    """
    if place.state.is_dir():
        with one_night(place.state, patience=0) as why_not:
            if why_not is not None:
                raise NightcastError(why_not)


def _waiting(tenant: Tenant | None) -> str:
    if tenant is None:
        return "waiting for another command, which has this workspace's Prefect database …"
    if tenant.command == UP:
        return f"waiting for `{UP}` (process {tenant.pid}), which is on its way up …"
    return f"waiting for `{tenant.command}` (process {tenant.pid}), which has this workspace's Prefect database …"


def _in_vain(tenant: Tenant | None, patience: float) -> str:
    who = "another command" if tenant is None else f"`{tenant.command}` (process {tenant.pid})"
    return (
        f"{who} has had this workspace's Prefect database for {patience / 60:.0f} minutes; "
        "wait for it to end, or stop it, then try again"
    )
