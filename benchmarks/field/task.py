"""What crosses the border between the two venvs: a task in a folder, and the answer beside it.

task.npz holds `temperature_c` (S, T), `covariates` (C, S, T), `seconds` (T,) since 1970 UTC and `origins` (O,)
positions; task.json holds stations, names of covariates, how many steps may be learnt from, horizon, context,
quantiles, threads and seed. The answer is forecast.npy (S, O, H, Q) °C and answer.json: seconds of training and of
predicting, what was chosen, and versions. This file needs numpy alone, in whatever version.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]

VALIDATION_SHARE = 0.15
"""Of what may be learnt from, the last part, on which settings are chosen and spreads measured."""
_DAY = 86_400


@dataclass(frozen=True)
class Readings:
    """temperature_c (S, T) and covariates (C, S, T), NaN where unobserved; seconds (T,) since 1970 UTC."""

    temperature_c: FloatArray
    covariates: FloatArray
    seconds: npt.NDArray[np.int64]

    @property
    def steps(self) -> int:
        """T."""
        return len(self.seconds)

    @property
    def per_day(self) -> int:
        """Steps a day, one at least."""
        return max(1, round(_DAY / int(self.seconds[1] - self.seconds[0])))

    @property
    def split(self) -> int:
        """The step at which the last part begins, on which settings are chosen."""
        return int(self.steps * (1 - VALIDATION_SHARE))

    def until(self, step: int) -> Readings:
        """The first `step` steps."""
        return replace(
            self,
            temperature_c=self.temperature_c[:, :step],
            covariates=self.covariates[:, :, :step],
            seconds=self.seconds[:step],
        )

    def day_fraction(self, steps: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Time of day, 0…1 UTC, of steps that may lie beyond the last."""
        first, step = int(self.seconds[0]), int(self.seconds[1] - self.seconds[0])
        return (first + steps * step) % _DAY / _DAY

    def last_observed(self) -> npt.NDArray[np.intp]:
        """(S, T) the last step with a reading, up to each step; −1 before the first."""
        return np.maximum.accumulate(np.where(np.isnan(self.temperature_c), -1, np.arange(self.steps)), axis=1)

    def filled(self) -> FloatArray:
        """(S, T) gaps filled from the past: a short one with the last reading, a longer one with the day before.

        What lies before a station's first reading repeats that reading; no forecast starts there.
        """
        values, last = self.temperature_c.copy(), self.last_observed()
        for row in range(len(values)):
            values[row, last[row] < 0] = values[row, np.argmax(last[row] >= 0)]
            for step in np.flatnonzero(np.isnan(values[row])):
                short = step - last[row, step] <= self.per_day // 8 or step < self.per_day
                values[row, step] = values[row, step - 1 if short else step - self.per_day]
        return values

    def ahead(self, origins: Positions, horizon: int) -> FloatArray:
        """(S, O, H) what was observed at every lead, NaN beyond the last step."""
        steps = origins[:, None] + np.arange(1, horizon + 1)
        values = self.temperature_c[:, np.minimum(steps, self.steps - 1)]
        return np.where(steps < self.steps, values, np.float32(np.nan))


@dataclass(frozen=True)
class Task:
    """Learn from the first `known` steps, then forecast from every origin, seeing nothing after it."""

    readings: Readings
    origins: Positions
    stations: list[str]
    covariates: list[str]
    known: int
    horizon: int
    context: int
    quantiles: list[float]
    threads: int
    seed: int

    def write(self, folder: Path) -> None:
        """Put the task into an existing folder."""
        said = {name: value for name, value in vars(self).items() if name not in ("readings", "origins")}
        np.savez(folder / "task.npz", origins=self.origins, **asdict(self.readings))
        (folder / "task.json").write_text(json.dumps(said), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Task:
        """The task that lies in a folder."""
        with np.load(folder / "task.npz") as arrays:
            origins, readings = arrays["origins"], Readings(*(arrays[name] for name in Readings.__annotations__))
        return cls(readings, origins, **json.loads((folder / "task.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Answer:
    """A peer's forecast (S, O, H, Q) °C, how long it took, what was chosen and by which versions."""

    forecast: FloatArray
    train_seconds: float
    predict_seconds: float
    chosen: str
    versions: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Put the answer beside the task."""
        np.save(folder / "forecast.npy", self.forecast)
        said = {name: value for name, value in vars(self).items() if name != "forecast"}
        (folder / "answer.json").write_text(json.dumps(said), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Answer:
        """The answer that lies in a folder."""
        said: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        return cls(np.load(folder / "forecast.npy"), **said)


class Peer(Protocol):
    """One row of the table."""

    packages: tuple[str, ...]
    """Whose versions are told."""

    def learn(self, readings: Readings, task: Task) -> str:
        """Choose settings on the last part of the readings, learn from all of them; what was chosen, in words."""
        ...

    def forecast(self, readings: Readings, origins: Positions) -> FloatArray:
        """(S, O, H, Q) °C."""
        ...


def pinball(quantiles: FloatArray, truth: FloatArray, levels: list[float]) -> float:
    """Mean pinball loss of (…, Q) quantiles over the cases whose truth (…) is known."""
    error = truth[..., None] - quantiles
    return float(np.nanmean(np.maximum(np.array(levels) * error, (np.array(levels) - 1) * error)))
