"""LightGBM: one model for all stations and leads, the lead among its features; the change from now is learnt.

Features: the last reading and how old it is; station, lead, the hour forecast for and (from two years on) the day of
the year; the last day hour by hour and three days more coarsely, the same hour on the last two days and its mean of a
week, the mean change of a week between the two hours, the means of a day and of a week: all as differences to the
last reading. With `fleet` every other station's last day at seven lags, as differences to the own last reading; with
`covariates` what the station itself measures besides, and its changes. Missing values stay missing.

Tuned: 15 or 63 leaves, a rate of 0.05 or 0.1, up to 600 rounds by early stopping. Four trainings on 200,000 cases
(station, origin, lead), drawn at random from what comes before the last 15 %, are judged by their MAE on 100,000 of
the last 15 %. The best one's errors there, by station and lead, are its spread. It is then trained anew on 200,000
cases drawn from the whole.
"""

from __future__ import annotations

import lightgbm
import numpy as np
import numpy.typing as npt

from benchmarks.field.task import FloatArray, Positions, Readings, Task

LEAVES, RATES, ROUNDS, PATIENCE = (15, 63), (0.05, 0.1), 600, 30
LEARNT_CASES, JUDGED_CASES = 200_000, 100_000
OWN_LAGS = (*range(1, 24), 24, 30, 36, 42, 48, 60, 72)
FLEET_LAGS, COVARIATE_LAGS = (0, 1, 2, 3, 6, 12, 24), (3, 6, 12, 24)
SEASONS_DAYS = 2 * 365
_FEWEST_ERRORS = 100
_AT_ONCE = 200_000

Cases = npt.NDArray[np.intp]
"""(3, N): stations, origins and leads."""


class LightGBM:
    """One row; see above."""

    packages = ("lightgbm", "numpy")

    def __init__(self, *, fleet: bool = False, covariates: bool = False) -> None:
        self._fleet, self._with_covariates = fleet, covariates

    def learn(self, readings: Readings, task: Task) -> str:
        """Four trainings, the best one's errors, and it anew on everything."""
        self._task, chance = task, np.random.default_rng(task.seed)
        self._knows_seasons = readings.steps >= SEASONS_DAYS * readings.per_day
        stations, first = len(readings.temperature_c), max(OWN_LAGS)

        def draw(begin: int, end: int, most: int) -> Cases:
            """Cases whose origins and truth lie within these steps."""
            sizes = (stations, max(end - task.horizon - begin, 0), task.horizon)
            count = int(np.prod(sizes))
            chosen = chance.choice(count, min(most, count), replace=False)
            station, origin, lead = np.unravel_index(chosen, sizes)
            cases = np.stack([station, origin + begin, lead + 1])
            return cases[:, np.isfinite(_change(readings, cases))]

        judged = draw(readings.split, readings.steps, JUDGED_CASES)
        train = self._dataset(readings, draw(first, readings.split, LEARNT_CASES))
        x, y = self._features(readings, judged), _change(readings, judged)
        valid, tried = train.create_valid(x, y), []
        for leaves in LEAVES:
            for rate in RATES:
                booster = self._train(train, leaves, rate, ROUNDS, valid)
                tried.append((booster.best_score["valid_0"]["l1"], leaves, rate, booster.best_iteration, booster))
        error, *settings, best = min(tried, key=lambda trial: trial[0])
        self._errors = _error_quantiles(y - best.predict(x), judged, stations, task)
        self._booster = self._train(self._dataset(readings, draw(first, readings.steps, LEARNT_CASES)), *settings)
        return "{} leaves, rate {}, {} rounds".format(*settings) + f", validation MAE {error:.3f}"

    def forecast(self, readings: Readings, origins: Positions) -> FloatArray:
        """(S, O, H, Q) °C: last reading, learnt change, and errors as on the last 15 %."""
        shape = (len(readings.temperature_c), len(origins), self._task.horizon)
        station, origin, lead = (part.ravel() for part in np.indices(shape))
        cases = np.stack([station, origins[origin], lead + 1])
        parts = [cases[:, begin : begin + _AT_ONCE] for begin in range(0, cases.shape[1], _AT_ONCE)]
        change = np.concatenate([self._booster.predict(self._features(readings, part)) for part in parts])
        point = (_last(readings, cases) + change).reshape(shape)
        return (point[..., None] + self._errors[:, None]).astype(np.float32)

    def _train(
        self, train: lightgbm.Dataset, leaves: int, rate: float, rounds: int, valid: lightgbm.Dataset | None = None
    ) -> lightgbm.Booster:
        settings = {
            "objective": "regression_l1", "metric": "l1", "num_leaves": leaves, "learning_rate": rate,
            "feature_fraction": 0.7, "min_data_in_leaf": 100, "max_bin": 63, "num_threads": self._task.threads,
            "seed": self._task.seed, "deterministic": True, "force_col_wise": True, "verbose": -1,
        }  # fmt: skip
        stop = [] if valid is None else [lightgbm.early_stopping(PATIENCE, verbose=False)]
        return lightgbm.train(settings, train, rounds, valid_sets=[] if valid is None else [valid], callbacks=stop)

    def _dataset(self, readings: Readings, cases: Cases) -> lightgbm.Dataset:
        x, y = self._features(readings, cases), _change(readings, cases)
        return lightgbm.Dataset(
            x, y, categorical_feature=[0], free_raw_data=False, params={"max_bin": 63, "verbose": -1}
        )

    def _features(self, readings: Readings, cases: Cases) -> FloatArray:
        """(N, F)."""
        columns = [*self._clock(readings, cases), *self._own(readings, cases)]
        if self._fleet:
            columns += _others(readings, cases)
        if self._with_covariates:
            for values in readings.covariates:
                now, *earlier = (_at(values, cases[0], cases[1] - lag) for lag in (0, *COVARIATE_LAGS))
                columns += [now, *(now - then for then in earlier)]
        return np.column_stack([np.asarray(column, np.float32) for column in columns])

    def _clock(self, readings: Readings, cases: Cases) -> list[npt.NDArray]:
        station, origin, lead = cases
        since = origin - readings.last_observed()[station, origin]
        columns = [station, lead, since, readings.day_fraction(origin + lead)]
        if self._knows_seasons:
            days = readings.seconds[0] / 86_400 + (origin + lead) / readings.per_day
            columns.append(days % 365.25)
        return columns

    def _own(self, readings: Readings, cases: Cases) -> list[npt.NDArray]:
        station, origin, lead = cases
        last, day, values = _last(readings, cases), readings.per_day, readings.temperature_c
        same_hour = origin + lead - day * -(-lead // day)  # the newest known step at that hour
        week = [_at(values, station, same_hour - day * back) for back in range(7)]
        this_hour = _mean([_at(values, station, origin - day * back) for back in range(7)])
        lags = [_at(values, station, origin - lag) - last for lag in OWN_LAGS]
        means = [_running_mean(values, days * day)[station, origin] - last for days in (1, 7)]
        return [last, *lags, week[0] - last, week[1] - last, _mean(week) - last, _mean(week) - this_hour, *means]


def _others(readings: Readings, cases: Cases) -> list[npt.NDArray]:
    """Every station's lags beside the own last reading; a station's own are missing, they stand elsewhere."""
    station, origin, _ = cases
    last = np.where(station == np.arange(len(readings.temperature_c))[:, None], np.nan, _last(readings, cases))
    return [
        _at(readings.temperature_c, np.full_like(station, other), origin - lag) - last[other]
        for other in range(len(last))
        for lag in FLEET_LAGS
    ]


def _at(values: FloatArray, station: Positions, step: Positions) -> FloatArray:
    """(N,) values of (S, T), NaN beyond either end."""
    inside = (step >= 0) & (step < values.shape[1])
    return np.where(inside, values[station, np.where(inside, step, 0)], np.float32(np.nan))


def _last(readings: Readings, cases: Cases) -> FloatArray:
    """(N,) the last reading at the origin, NaN before the first."""
    return _at(readings.temperature_c, cases[0], readings.last_observed()[cases[0], cases[1]])


def _change(readings: Readings, cases: Cases) -> FloatArray:
    """(N,) what is learnt: the truth less the last reading."""
    return _at(readings.temperature_c, cases[0], cases[1] + cases[2]) - _last(readings, cases)


def _mean(values: list[FloatArray]) -> FloatArray:
    """(N,) mean of what is known; NaN where nothing is."""
    known = np.isfinite(values).sum(axis=0)
    return np.where(known > 0, np.nansum(values, axis=0) / np.maximum(known, 1), np.nan)


def _running_mean(values: FloatArray, length: int) -> npt.NDArray[np.float64]:
    """(S, T) mean of what is known of the last `length` steps, this one included."""

    def running_sum(some: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        total = np.cumsum(some, axis=1)
        return total - np.pad(total, ((0, 0), (length, 0)))[:, : total.shape[1]]

    known = running_sum(np.isfinite(values).astype(np.float64))
    return np.where(known > 0, running_sum(np.nan_to_num(values).astype(np.float64)) / np.maximum(known, 1), np.nan)


def _error_quantiles(errors: npt.NDArray[np.float64], cases: Cases, stations: int, task: Task) -> FloatArray:
    """(S, H, Q) quantiles around a median of zero: the station's own where it has enough, else the fleet's."""
    quantiles = np.empty((stations, task.horizon, len(task.quantiles)), np.float32)
    for lead in range(1, task.horizon + 1):
        of_lead = cases[2] == lead
        for station in range(stations):
            own = errors[of_lead & (cases[0] == station)]
            quantiles[station, lead - 1] = np.quantile(
                own if len(own) >= _FEWEST_ERRORS else errors[of_lead], task.quantiles
            )
    return quantiles - quantiles[..., [task.quantiles.index(0.5)]]
