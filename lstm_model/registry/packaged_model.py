"""The model as MLflow stores and serves it: this file as text, weights as safetensors, no serialised objects.

It reads a DataFrame of recent readings (station_id, observed_at, temperature_c, and covariates where there are any)
and answers with the forecast from the newest of them. Times without a zone are UTC, as JSON requests bring them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException


class PackagedForecaster(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """`lstm_model.network.Forecaster` behind MLflow's interface."""

    def load_context(self, context: Any) -> None:
        """Read the weights; the code comes from the package's own `code/` folder."""
        from lstm_model.network import Forecaster

        self._forecaster = Forecaster.load(Path(context.artifacts["forecaster"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Forecast every station from the newest reading on; what cannot be forecast from is refused in words."""
        _check(model_input)
        readings = model_input.assign(observed_at=pd.to_datetime(model_input["observed_at"], utc=True))
        return self._forecaster.predict(readings=readings)


def _check(readings: pd.DataFrame) -> None:
    """Refuse what the schema lets pass; a server answers with a 400 that says so."""
    if readings.empty:
        raise MlflowException.invalid_parameter_value(
            "no readings: send the recent ones, at least a day of every station"
        )
    for column in ("station_id", "observed_at"):
        if (missing := readings[column].isna().to_numpy()).any():
            raise MlflowException.invalid_parameter_value(
                f"row {int(missing.argmax())}: {column} is missing; every reading needs a station and a time"
            )
    if not readings["temperature_c"].abs().lt(float("inf")).any():
        raise MlflowException.invalid_parameter_value(
            "no temperatures: temperature_c is missing or not finite in every reading"
        )


mlflow.models.set_model(PackagedForecaster())
