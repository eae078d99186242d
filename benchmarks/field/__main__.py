"""A peer of the field does a task, in the venv of the peers.

    python -m benchmarks.field FOLDER ROW

Reads the task that lies in FOLDER (`task.py` says how) and leaves the answer there. A peer learns from the steps
before the test alone: the others are not handed to it before it forecasts.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from benchmarks.field.rows import ROWS
from benchmarks.field.task import Answer, Peer, Task


def answer(task: Task, peer: Peer) -> Answer:
    """Learn, then forecast; both timed without the start of Python and its packages."""
    began = time.perf_counter()
    chosen = peer.learn(task.readings.until(task.known), task)
    learnt = time.perf_counter()
    forecast = peer.forecast(task.readings, task.origins)
    done = time.perf_counter()
    versions = {package: version(package) for package in peer.packages}
    return Answer(forecast, learnt - began, done - learnt, chosen, versions)


def main() -> None:
    folder, row = Path(sys.argv[1]), sys.argv[2]
    module, name, options = ROWS[row]
    peer = getattr(import_module(f"benchmarks.field.{module}"), name)(**options)
    answer(Task.read(folder), peer).write(folder)


if __name__ == "__main__":
    main()
