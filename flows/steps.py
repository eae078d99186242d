"""A flow inside a flow: it waits for a server that is away, and does its work without one that stays away."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.context import SyncClientContext
from prefect.exceptions import PrefectHTTPStatusError

from lstm_model.errors import NightcastError, first_line
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.steps")

_TRIES = 2
_SECONDS = 5.0

P = ParamSpec("P")
R = TypeVar("R")


def lived(step: Flow[P, R]) -> Callable[P, R]:
    """A flow to be called within another one, whether or not Prefect's server is there.

    Prefect itself waits for a server that goes away in the middle of a flow, but not at the start of the next one.
    Where it, or its database, goes meanwhile and comes back, the flow is run again; where it stays away for a minute,
    its body is run by itself, and only the dashboard misses it. Who waited in vain does not wait again.
    """

    def live(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(_TRIES):
            if not _server.is_there():
                break
            try:
                return step(*args, **kwargs)
            except httpx.TransportError:
                pass  # it went meanwhile; a step done again ends where one run ends
            except PrefectHTTPStatusError as error:
                if not error.response.is_server_error:
                    raise
                _server.waited_in_vain = True  # Prefect's client asked again for a minute
        log.warning("%s is done without Prefect's server, which does not answer: the dashboard will miss it", step.name)
        return cast(R, inspect.unwrap(step.fn)(*args, **kwargs))

    return live


@contextmanager
def loss_in_words(workspace: Workspace) -> Iterator[None]:
    """A flow whose server goes for good cannot be told to it, whatever it did: that is one line.

    Raises:
        NightcastError: says where to see what the flow did.
    """
    try:
        yield
    except (PrefectHTTPStatusError, httpx.TransportError) as error:
        if isinstance(error, PrefectHTTPStatusError) and not error.response.is_server_error:
            raise
        raise NightcastError(
            "Prefect's server, or its database, went away and did not come back, so no dashboard has the end of this "
            f"run ({first_line(error)}). What it did stands: {workspace.latest.relative_to(workspace.home)} has the "
            "forecast that went out last. Once the server is back, `nightcast run` lives the night again"
        ) from error


@dataclass
class _Server:
    """The server of this process's flows."""

    waited_in_vain: bool = False

    def is_there(self) -> bool:
        """Whether it answers, and has its database; it is waited for once."""
        with SyncClientContext.get_or_create() as context:  # the outer flow's client asks one that it knows longer
            client = context.client
            there = _has_database(str(client.api_url)) if self.waited_in_vain else _answers_in_time(client)
        self.waited_in_vain = not there
        return there


_server = _Server()


def _answers_in_time(client: SyncPrefectClient) -> bool:
    try:
        client.request("GET", "/ready")
    except httpx.HTTPStatusError as error:
        return not error.response.is_server_error
    except httpx.HTTPError:
        return False
    return True


def _has_database(api: str) -> bool:
    try:
        return not httpx.get(f"{api.rstrip('/')}/ready", timeout=_SECONDS).is_server_error
    except httpx.HTTPError:
        return False
