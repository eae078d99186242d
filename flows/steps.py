"""A flow inside a flow: it waits for a server that is away, and does its work without one that stays away."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import httpx
from prefect import Flow
from prefect.context import SyncClientContext

log = logging.getLogger("nightcast.steps")

P = ParamSpec("P")
R = TypeVar("R")


def lived(step: Flow[P, R]) -> Callable[P, R]:
    """A flow to be called within another one, whether or not Prefect's server is there.

    Prefect itself waits for a server that goes away in the middle of a flow, but not at the start of the next one.
    Where it stays away for a minute, the flow's body is run by itself, from its beginning, and only the dashboard
    misses it.
    """

    def live(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            if _server_is_there():
                return step(*args, **kwargs)
        except httpx.TransportError:  # it went while the step was lived: done again, a step ends where one run ends
            if _server_is_there():
                raise
        log.warning("%s is done without Prefect's server, which does not answer: the dashboard will miss it", step.name)
        return cast(R, inspect.unwrap(step.fn)(*args, **kwargs))

    return live


def _server_is_there() -> bool:
    with SyncClientContext.get_or_create() as context:  # the outer flow's client asks a server that it knows longer
        return context.client.api_healthcheck() is None
