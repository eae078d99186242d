"""The peers of the field, which live in a venv of their own because they want another pandas.

`make bench-setup` makes it. A task is written to a temporary folder, `python -m benchmarks.field` does it there, and
its answer is read back; `benchmarks/field/task.py` says what crosses.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.field.rows import ROWS
from benchmarks.field.task import Answer, Readings, Task
from lstm_model.panel import Panel
from lstm_model.panel.grid import FloatArray
from lstm_model.settings import QUANTILES, ModelSettings

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
FIELD_ROWS = tuple(row for row in ROWS if row != "last_value")
MOST_FITS = {"sf_mstl": 500}
"""Rows that fit anew at every station and origin, and how many fits are affordable."""

_EPOCH = pd.Timestamp(0, tz="UTC")


class FieldPeer:
    """A row whose peer learns and forecasts in the other venv. Both happen when the forecast is asked for.

    Args:
        row: one of `FIELD_ROWS`.
        past: what may be learnt from.
        settings: horizon, context, threads and seed are the peer's, too.
        python: the interpreter of the other venv, where it is not `PYTHON`.
    """

    def __init__(self, row: str, past: Panel, settings: ModelSettings, python: Path | None = None) -> None:
        self.row, self._past, self._settings = row, past, settings
        self._python = python or PYTHON
        self._answers: dict[bytes, Answer] = {}

    def forecast(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        """Quantiles in °C, (S, O, H, Q); the same origins asked for again cost nothing.

        Raises:
            RuntimeError: the peer failed; with the last it said.
        """
        if origins.tobytes() not in self._answers:
            self._answers[origins.tobytes()] = self._ask(panel, origins)
        return self._answers[origins.tobytes()].forecast

    @property
    def told(self) -> dict[str, Any]:
        """What the last answer says besides the forecast: seconds, what was chosen, versions."""
        *_, answer = self._answers.values()
        return {each.name: getattr(answer, each.name) for each in fields(answer) if each.name != "forecast"}

    def _ask(self, panel: Panel, origins: npt.NDArray[np.intp]) -> Answer:
        settings, names = self._settings, sorted(panel.covariates)
        covariates = np.stack([panel.covariates[name] for name in names]) if names else np.empty((0, 0, 0), np.float32)
        seconds = ((panel.times - _EPOCH) // pd.Timedelta("1s")).to_numpy(np.int64)
        task = Task(
            Readings(panel.temperature_c, covariates, seconds), origins, list(panel.stations), names,
            len(self._past.times), settings.horizon, settings.context, list(QUANTILES), settings.threads, settings.seed,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as name:
            task.write(folder := Path(name))
            command = [str(self._python), "-m", "benchmarks.field", str(folder), self.row]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # noqa: S603
            if done.returncode:
                raise RuntimeError(f"{self.row}: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
            return Answer.read(folder)


def able(rows: list[str], fits: int) -> tuple[list[str], list[str]]:
    """The rows that can be run, and a line about each reason why others are left out.

    Args:
        rows: wanted ones, of the field or not.
        fits: stations × origins of the comparison.
    """
    field, notes = [row for row in rows if row in FIELD_ROWS], []
    if field and not PYTHON.exists():
        notes.append(f"left out: {', '.join(field)}; their venv is missing, `make bench-setup` makes it")
        return [row for row in rows if row not in field], notes
    dear = [row for row in field if fits > MOST_FITS.get(row, fits)]
    notes += [f"left out: {row}; {fits} stations × origins, it fits anew at each, {MOST_FITS[row]} at most"
              for row in dear]  # fmt: skip
    return [row for row in rows if row not in dear], notes
