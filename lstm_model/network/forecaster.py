"""The forecaster: fit on readings, predict any origin, save and load without executable content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from lstm_model.errors import HistoryTooShort, ModelUnavailable
from lstm_model.network.anchor import Anchor, Lags, Penalties
from lstm_model.network.calibration import apply_offsets, conformal_offsets
from lstm_model.network.cell import Gates, walk_through
from lstm_model.network.history import History, cut_windows, fit_anchor, scaled_history
from lstm_model.network.neighbours import choose_neighbours
from lstm_model.network.saved import read_model, write_model
from lstm_model.network.scaling import Covariate, Scaling, Usual
from lstm_model.network.training import Epoch, Recipe, device_called, train_network
from lstm_model.network.weather_lstm import WeatherLSTM, to_quantiles
from lstm_model.panel import ClimatologyModel, HeldOut, Panel, build_panel, hold_out_blocks
from lstm_model.panel.grid import FloatArray
from lstm_model.settings import MEDIAN, QUANTILES, ModelSettings

QUANTILE_COLUMNS = [f"q{round(level * 100):02d}" for level in QUANTILES]
_FEWEST_READINGS = 24
_ROWS_AT_ONCE = 512
_MOST_CALIBRATION_ORIGINS = 8192


@dataclass(frozen=True)
class Fitted:
    """All that fitting found: what a saved model holds."""

    scaling: Scaling
    neighbours: npt.NDArray[np.intp]
    anchor: Anchor
    offsets: FloatArray
    ridge_offsets: FloatArray
    networks: tuple[WeatherLSTM, ...]
    trained_until: pd.Timestamp


class Forecaster:
    """One model for a whole fleet.

    Example:
        >>> times = pd.date_range("2024-01-01", periods=24 * 60, freq="1h", tz="UTC")
        >>> wave = 10 + 5 * np.sin(2 * np.pi * times.hour / 24)
        >>> readings = pd.DataFrame({"station_id": "roof", "observed_at": times, "temperature_c": wave})
        >>> forecaster = Forecaster(ModelSettings(horizon=24, max_epochs=0)).fit(readings)
        >>> forecast = forecaster.predict(times[-1])
        >>> bool(abs(forecast["temperature_c"].to_numpy() - wave[:24].to_numpy()).max() < 0.5)
        True
    """

    recipe = Recipe()

    def __init__(self, settings: ModelSettings | None = None) -> None:
        self.settings = settings or ModelSettings()
        self.epochs: list[Epoch] = []
        self._fitted: Fitted | None = None
        self._panel: Panel | None = None

    @classmethod
    def of(cls, settings: ModelSettings, fitted: Fitted, panel: Panel | None = None) -> Forecaster:
        """A forecaster that knows already what fitting finds, and the past to forecast from when none is given."""
        forecaster = cls(settings)
        forecaster._fitted, forecaster._panel = fitted, panel
        return forecaster

    # ── fitting ────────────────────────────────────────────────────────────────────────────────────────────

    def fit(
        self,
        readings: pd.DataFrame,
        on_epoch: Callable[[Epoch], None] | None = None,
        parent: Forecaster | None = None,
    ) -> Forecaster:
        """Learn from readings: station_id, observed_at (with a zone), temperature_c (°C).

        Every further column of floats is a covariate: something else the station measures.
        """
        return self.fit_panel(build_panel(readings, self.settings.step), on_epoch, parent)

    def fit_panel(
        self, panel: Panel, on_epoch: Callable[[Epoch], None] | None = None, parent: Forecaster | None = None
    ) -> Forecaster:
        """Learn from a panel. The same panel, settings, threads and parent give the same bits.

        Args:
            panel: the past.
            on_epoch: called after every pass of every network.
            parent: a fitted forecaster whose networks are gone on from, where the shapes are the same; everything
                else is fitted afresh. Its training may have seen what are validation blocks now, so a warm start is
                judged on readings newer than both.

        Raises:
            HistoryTooShort: nothing was observed.
        """
        if not np.isfinite(panel.temperature_c).any():
            raise HistoryTooShort("nothing was observed; a forecaster needs at least a few readings to learn from")
        with threadpool_limits(self.settings.threads):  # numpy's solvers round differently on more threads
            self._fitted = self._learnt(panel, on_epoch, parent)
        self._panel = panel
        return self

    def _learnt(self, panel: Panel, on_epoch: Callable[[Epoch], None] | None, parent: Forecaster | None) -> Fitted:
        settings = self.settings
        torch.set_num_threads(settings.threads)
        torch.set_deterministic_debug_mode("error")  # the other name of this switch loads a compiler: a second, 70 MB
        device = device_called(settings.device)
        held_out = hold_out_blocks(panel.times, settings.horizon)
        seen: npt.NDArray[np.bool_] = np.any(np.isfinite(panel.temperature_c) & held_out.fitted, axis=1)
        if seen.any() and not seen.all():
            panel = panel.only(seen)  # the others stay unknown, to be met at their own level
        scaling = self._scaling(panel, held_out.fitted)
        anomaly = scaling.temperature.anomaly(panel, panel.temperature_c)
        anomaly[:, ~held_out.fitted] = np.nan
        neighbours = choose_neighbours(anomaly, settings.neighbours)
        del anomaly  # as large as the panel
        history = scaled_history(panel, scaling, neighbours, settings.half_life_days)
        anchor, penalties = self._anchor(history, held_out)
        flat = np.zeros((settings.horizon, len(QUANTILES)), np.float32)

        parents = _networks_to_go_on_from(parent, scaling, neighbours, settings)
        networks = []
        for member in range(settings.ensemble):
            network, epochs = train_network(
                history,
                anchor,
                held_out,
                hidden_size=settings.hidden_size,
                context=settings.context,
                max_epochs=settings.max_epochs,
                seed=settings.seed + member,
                device=device,
                parent=parents[member] if member < len(parents) else None,
                recipe=self.recipe,
                on_epoch=on_epoch,
            )
            networks.append(network)
            if member == 0:
                self.epochs = epochs
        fitted = Fitted(scaling, neighbours, anchor, flat, flat, tuple(networks), panel.times[-1])
        fitted = self._calibrated(history, fitted, np.flatnonzero(held_out.calibration))
        # Now that the blocks have chosen and judged, the closed-form part learns from them as well, in its own place:
        # of a large fleet two of them would be too many.
        whole, _ = self._anchor(history, HeldOut.nothing(history.steps), penalties, anchor.weights)
        return replace(fitted, anchor=whole)

    # Parts of `_learnt` with a name of their own, so that a benchmark can put something else in their place.

    def _scaling(self, panel: Panel, usable: npt.NDArray[np.bool_]) -> Scaling:
        return Scaling.fit(panel, usable)

    def _anchor(
        self,
        history: History,
        held_out: HeldOut,
        penalties: Penalties | None = None,
        into: FloatArray | None = None,
    ) -> tuple[Anchor, Penalties]:
        settings = self.settings
        lags = Lags.within(settings.context, settings.anchor_steps)
        return fit_anchor(history, held_out, settings.horizon, lags, penalties, settings.level_penalty, into)

    def _calibrated(self, history: History, fitted: Fitted, origins: npt.NDArray[np.intp]) -> Fitted:
        """The same with offsets that make the intervals of the network, and of its anchor, cover on `origins`."""
        origins = origins[origins >= self.settings.context - 1]
        if len(origins) == 0:
            return fitted
        blocks = 1 + int((np.diff(origins) > 1).sum())
        origins = origins[:: max(1, len(origins) * history.stations // _MOST_CALIBRATION_ORIGINS)]
        truth = history.truth(slice(None), origins, self.settings.horizon)
        ridge = replace(fitted, networks=())
        return replace(
            fitted,
            offsets=conformal_offsets(self._quantiles(history, fitted, origins), truth, blocks),
            ridge_offsets=conformal_offsets(self._quantiles(history, ridge, origins), truth, blocks),
        )

    def ridge(self) -> Forecaster:
        """The anchor alone, calibrated in the same way: the fleet ridge that the network has to beat."""
        anchored = replace(self.fitted, networks=(), offsets=self.fitted.ridge_offsets)
        return Forecaster.of(self.settings, anchored, self._panel)

    # ── predicting ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def fitted(self) -> Fitted:
        """What fitting found.

        Raises:
            ModelUnavailable: neither `fit` nor `load` came first.
        """
        if self._fitted is None:
            raise ModelUnavailable("this forecaster has learnt nothing yet; call fit(readings) or load(folder) first")
        return self._fitted

    @property
    def covariates(self) -> list[str]:
        """The columns beyond the temperature that it has learnt to use; a forecast goes out without them too."""
        return [covariate.name for covariate in self.fitted.scaling.covariates]

    def predict(
        self,
        issued_at: pd.Timestamp | None = None,
        readings: pd.DataFrame | None = None,
        known_ahead: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Forecast every station from one origin.

        Args:
            issued_at: the origin; a reading at that very time is known. The newest reading's when None.
            readings: the past to look at, in the shape `fit` takes; what was fitted on when None.
            known_ahead: reserved for inputs known ahead, such as a weather model's forecast.

        Returns:
            station_id, issued_at, valid_at, lead_hours, temperature_c (the median) and q05 … q95 in °C, one row
            a station and lead; NaN for stations with too few readings in the context.

        Raises:
            ValueError: `known_ahead` is given, or there is no past to look at.
        """
        if known_ahead is not None:
            raise ValueError("known_ahead: this version has no inputs known ahead; leave it out")
        step = self.settings.step
        if readings is not None:
            panel = build_panel(readings, step, end=issued_at)
        elif self._panel is not None:
            panel = self._panel if issued_at is None else self._panel.until(issued_at)
            if len(panel.times) == 0:
                raise ValueError(f"no readings up to {issued_at}; the first one is of {self._panel.times[0]}")
        else:
            raise ValueError("readings: a loaded forecaster holds no past; pass the recent readings")
        if issued_at is not None and issued_at.floor(step) > panel.times[-1]:
            panel = panel.extended_to(issued_at.floor(step))
        quantiles = self.forecast(panel, np.array([len(panel.times) - 1]))[:, 0]
        return forecast_frame(panel.stations, panel.times[-1], step, quantiles)

    def forecast(self, panel: Panel, origins: npt.NDArray[np.intp]) -> FloatArray:
        """Quantiles in °C at every origin: (S, O, H, Q).

        An origin sees the `context` steps of the panel that end with it and nothing else. NaN where fewer than
        24 of them (or than the context has) were observed.
        """
        fitted, settings = self.fitted, self.settings
        torch.set_num_threads(settings.threads)
        if len(origins) > 1 and set(panel.stations) - set(fitted.scaling.stations):
            # An unknown station's level is taken from the context, which is another one at every origin.
            return np.concatenate([self.forecast(panel, origins[[o]]) for o in range(len(origins))], axis=1)
        missing = max(0, settings.context - 1 - int(origins.min()))
        panel, origins = panel.preceded_by(missing), origins + missing
        first, last = int(origins.min()) - settings.context + 1, int(origins.max())
        origins = origins - first
        seen = panel.steps(first, last + 1)
        history = scaled_history(seen, fitted.scaling, fitted.neighbours)
        scaled = apply_offsets(self._quantiles(history, fitted, origins), fitted.offsets)

        # Back to °C: the climatology at each valid time, at the station's own level.
        timeline = pd.date_range(seen.times[0], periods=history.steps + settings.horizon, freq=settings.step)
        usual = fitted.scaling.temperature.climatology.values(panel.stations, timeline)
        usual += history.base_c[:, None] - usual[:, :1]
        at_leads = usual[:, origins[:, None] + np.arange(1, settings.horizon + 1)]
        result = at_leads[..., None] + history.scale_c[:, None, None, None] * scaled

        observed = history.own.observed.cumsum(axis=1)
        before = np.where(origins >= settings.context, observed[:, origins - settings.context], 0)
        result[observed[:, origins] - before < min(_FEWEST_READINGS, settings.context)] = np.nan
        return result

    def _quantiles(self, history: History, fitted: Fitted, origins: npt.NDArray[np.intp]) -> FloatArray:
        """Uncalibrated quantiles, scaled: (S, O, H, Q)."""
        context, stations = self.settings.context, history.stations
        rows = np.repeat(np.arange(stations), len(origins))
        starts = np.tile(origins - context + 1, stations)
        parts = []
        with torch.no_grad():
            for piece in range(0, len(rows), _ROWS_AT_ONCE):
                cut = slice(piece, piece + _ROWS_AT_ONCE)
                windows = cut_windows(history, fitted.anchor, rows[cut], starts[cut], context, context - 1)
                untouched = torch.zeros(*windows.anchor.shape, len(QUANTILES))
                raws = [network(windows.inputs, context - 1) for network in fitted.networks] or [untouched]
                members = [to_quantiles(raw, windows.anchor, windows.gaps) for raw in raws]
                parts.append(torch.stack(members).mean(dim=0)[:, 0].numpy())
        return np.concatenate(parts).reshape(stations, len(origins), self.settings.horizon, len(QUANTILES))

    def gates(self, panel: Panel, station: str) -> Gates | None:
        """What every gate of the first network did over the context that ends with the panel, (1, context, hidden).

        None where there is no network to look into.
        """
        fitted, context = self.fitted, self.settings.context
        if not fitted.networks:
            return None
        whole = panel.preceded_by(max(0, context - len(panel.times)))
        seen = whole.steps(len(whole.times) - context, len(whole.times))
        history = scaled_history(seen, fitted.scaling, fitted.neighbours)
        row = np.array([seen.stations.index(station)])
        windows = cut_windows(history, fitted.anchor, row, np.zeros(1, np.intp), context, context - 1)
        with torch.no_grad():
            return walk_through(fitted.networks[0].lstm, windows.inputs)

    # ── keeping ────────────────────────────────────────────────────────────────────────────────────────────

    def save(self, folder: str | Path) -> None:
        """Write weights as safetensors and everything else as JSON; nothing in it is code."""
        fitted = self.fitted
        quantities = {"temperature": fitted.scaling.temperature}
        quantities |= {f"covariate.{covariate.name}": covariate.usual for covariate in fitted.scaling.covariates}
        arrays: dict[str, np.ndarray] = {
            "neighbours": fitted.neighbours,
            "anchor.weights": fitted.anchor.weights,
            "anchor.gaps": fitted.anchor.gaps,
            "offsets": fitted.offsets,
            "ridge_offsets": fitted.ridge_offsets,
        }
        for name, usual in quantities.items():
            arrays |= {f"{name}.climatology": usual.climatology.coefficients, f"{name}.scale": usual.scale}
        for covariate in fitted.scaling.covariates:
            arrays[f"covariate.{covariate.name}.slope"] = covariate.slope
        for member, network in enumerate(fitted.networks):
            arrays |= {f"network.{member}.{name}": value.numpy() for name, value in network.state_dict().items()}
        description = {
            "settings": self.settings.model_dump(),
            "stations": list(fitted.scaling.stations),
            "harmonics": {
                name: {"diurnal": usual.climatology.diurnal, "annual": usual.climatology.annual}
                for name, usual in quantities.items()
            },
            "covariates": [covariate.name for covariate in fitted.scaling.covariates],
            "lags": asdict(fitted.anchor.lags),
            "trained_until": fitted.trained_until.isoformat(),
        }
        write_model(Path(folder), arrays, description)

    @classmethod
    def load(cls, folder: str | Path) -> Forecaster:
        """Read what `save` wrote.

        Raises:
            ModelUnavailable: a file is missing or damaged, or was written in a format this version cannot read.
        """
        folder = Path(folder)
        try:
            arrays, description = read_model(folder)
            settings = ModelSettings.model_validate(description["settings"])
            return cls.of(settings, _assemble(settings, description, arrays))
        except ModelUnavailable:
            raise
        except Exception as error:  # whatever a damaged file makes of itself, the model is not to be had
            raise ModelUnavailable(f"{folder}: the model cannot be loaded: {error}") from error


def _networks_to_go_on_from(
    parent: Forecaster | None, scaling: Scaling, neighbours: npt.NDArray[np.intp], settings: ModelSettings
) -> tuple[WeatherLSTM, ...]:
    """A parent's networks, if they read the same things at the same cadence and have the same shape."""
    if parent is None:
        return ()
    theirs, ours = parent.settings, settings
    same = (
        (theirs.step, theirs.horizon, theirs.hidden_size) == (ours.step, ours.horizon, ours.hidden_size)
        and parent.covariates == [covariate.name for covariate in scaling.covariates]
        and parent.fitted.neighbours.shape[1] == neighbours.shape[1]
    )
    return parent.fitted.networks if same else ()


def cpu_capability() -> str:
    """What this processor can do for torch, such as AVX512; another one may round the last bit differently."""
    return torch.backends.cpu.get_cpu_capability()


def forecast_frame(
    stations: tuple[str, ...], issued_at: pd.Timestamp, step: pd.Timedelta, quantiles: FloatArray
) -> pd.DataFrame:
    """Quantiles (S, H, Q) as rows: one a station and lead."""
    horizon = quantiles.shape[1]
    leads = np.arange(1, horizon + 1)
    frame = pd.DataFrame(quantiles.reshape(-1, len(QUANTILES)), columns=QUANTILE_COLUMNS)
    frame.insert(0, "station_id", np.repeat(np.array(stations, dtype=object), horizon))
    frame.insert(1, "issued_at", issued_at.as_unit("us"))
    frame.insert(2, "valid_at", frame["issued_at"] + np.tile(leads * step, len(stations)))
    lead_hours = leads * (step / pd.Timedelta("1h"))
    frame.insert(3, "lead_hours", np.tile(lead_hours, len(stations)).astype(np.float32))
    frame.insert(4, "temperature_c", frame[QUANTILE_COLUMNS[MEDIAN]])
    return frame


def _assemble(settings: ModelSettings, description: dict, arrays: dict[str, np.ndarray]) -> Fitted:  # type: ignore[type-arg]
    def usual(name: str) -> Usual:
        climatology = ClimatologyModel(
            tuple(description["stations"]),
            **description["harmonics"][name],
            coefficients=arrays[f"{name}.climatology"],
        )
        return Usual(climatology, arrays[f"{name}.scale"])

    covariates = tuple(
        Covariate(name, usual(f"covariate.{name}"), arrays[f"covariate.{name}.slope"])
        for name in description["covariates"]
    )
    lags = Lags(**{name: tuple(steps) for name, steps in description["lags"].items()})
    anchor = Anchor(arrays["anchor.weights"], arrays["anchor.gaps"], lags)
    networks = []
    for member in range(settings.ensemble):
        neighbours = arrays["neighbours"].shape[1]
        network = WeatherLSTM(neighbours, len(covariates), settings.hidden_size, settings.horizon, dropout=0.0)
        prefix = f"network.{member}."
        network.load_state_dict(
            {
                name.removeprefix(prefix): torch.from_numpy(value)
                for name, value in arrays.items()
                if name.startswith(prefix)
            }
        )
        networks.append(network.eval())
    return Fitted(
        Scaling(usual("temperature"), covariates),
        arrays["neighbours"],
        anchor,
        arrays["offsets"],
        arrays["ridge_offsets"],
        tuple(networks),
        pd.Timestamp(description["trained_until"]),
    )
