"""Prefect's runner, made to stay small and to leave true states behind when it stops."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Self

import httpx
from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.runner import Runner

_STOPPED = "nightcast was stopped while this ran"


class LeanRunner(Runner):
    """Waits for what is due and starts a process for each run; what the flows need is imported only there."""

    async def __aenter__(self) -> Self:
        """Start, and keep the flows out: to look for hooks, it would import them whenever a run is killed."""
        await super().__aenter__()
        assert self._hook_runner is not None
        self._hook_runner._resolve_flow = _without_hooks
        return self

    async def run_until_stopped(self) -> None:
        """Run what is due until SIGTERM or Ctrl-C; what runs then ends as Cancelled.

        Prefect's own loop gives up, and kills what runs, once its server was away for half a minute; and its own way
        out leaves what ran as Running.
        """
        asked = asyncio.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, asked.set)
        async with self:
            while not asked.is_set():
                try:
                    await self._get_and_submit_flow_runs()  # type: ignore[no-untyped-call]
                except (httpx.TransportError, httpx.HTTPStatusError) as error:
                    self._logger.debug("the server does not answer: %s", error)  # it comes back, or this is stopped
                with suppress(TimeoutError):
                    await asyncio.wait_for(asked.wait(), self.query_seconds)
            self.stopping = True
            await self._cancellation_manager.cancel_all(_STOPPED)


async def _without_hooks(flow_run: FlowRun) -> Flow[..., None]:
    return Flow(_nothing, name="without hooks")


def _nothing() -> None:
    """The body of a flow that only has no hooks."""
