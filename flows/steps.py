"""A flow inside a flow: it waits for a server that is away, and does its work without one that stays away."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import httpx
from prefect import Flow
from prefect.context import SyncClientContext
from prefect.exceptions import PrefectHTTPStatusError

log = logging.getLogger("nightcast.steps")

_TRIES = 2

P = ParamSpec("P")
R = TypeVar("R")


def lived(step: Flow[P, R]) -> Callable[P, R]:
    """A flow to be called within another one, whether or not Prefect's server is there.

    Prefect itself waits for a server that goes away in the middle of a flow, but not at the start of the next one.
    Where it, or its database, goes meanwhile and comes back, the flow is run again; where it stays away for a minute,
    its body is run by itself, and only the dashboard misses it.
    """

    def live(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(_TRIES):
            if not _server_is_there():
                break
            try:
                return step(*args, **kwargs)
            except httpx.TransportError:
                pass  # it went meanwhile; a step done again ends where one run ends
            except PrefectHTTPStatusError as error:
                if not error.response.is_server_error:
                    raise
        log.warning("%s is done without Prefect's server, which does not answer: the dashboard will miss it", step.name)
        return cast(R, inspect.unwrap(step.fn)(*args, **kwargs))

    return live


def _server_is_there() -> bool:
    """Whether the server answers, and has its database."""
    with SyncClientContext.get_or_create() as context:  # the outer flow's client asks a server that it knows longer
        try:
            context.client.request("GET", "/ready")
        except httpx.HTTPStatusError as error:
            return not error.response.is_server_error
        except httpx.HTTPError:
            return False
    return True
