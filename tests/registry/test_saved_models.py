"""What was saved once: read for ever, refused where it is damaged, and never a surprise in what it forecasts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_model.errors import ModelUnavailable
from lstm_model.network import Forecaster
from lstm_model.network.forecaster import QUANTILE_COLUMNS
from lstm_model.network.saved import CHECKSUM, DESCRIPTION_FILE, WEIGHTS_FILE

GOLDEN = Path(__file__).with_name("golden")
"""A model saved before there was a checksum, two stations' last day, and what it forecast from there then."""


def last_day() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "readings.csv", parse_dates=["observed_at"])


def test_a_model_of_an_earlier_version_forecasts_what_it_did_then() -> None:
    expected = pd.read_csv(GOLDEN / "forecast.csv", parse_dates=["issued_at", "valid_at"])
    old = Forecaster.load(GOLDEN / "format-2")
    forecast = old.predict(readings=last_day())
    pd.testing.assert_frame_equal(forecast, expected, check_dtype=False, rtol=0, atol=1e-4)
    anchor = old.ridge().predict(readings=last_day())
    assert np.abs(anchor[QUANTILE_COLUMNS] - forecast[QUANTILE_COLUMNS]).to_numpy().max() > 1e-3  # its LSTM speaks


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The same model, saved by today's code."""
    Forecaster.load(GOLDEN / "format-2").save(tmp_path / "model")
    return tmp_path / "model"


def test_saving_anew_changes_no_weight(saved: Path) -> None:
    assert (saved / WEIGHTS_FILE).read_bytes() == (GOLDEN / "format-2" / WEIGHTS_FILE).read_bytes()


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0], ids=["first", "middle", "last"])
def test_a_flipped_byte_is_refused_in_words(saved: Path, place: float) -> None:
    weights = bytearray((saved / WEIGHTS_FILE).read_bytes())
    weights[int(place * (len(weights) - 1))] ^= 1
    (saved / WEIGHTS_FILE).write_bytes(weights)
    with pytest.raises(ModelUnavailable, match=r"weights\.safetensors: damaged: its SHA-256 .* train a new model"):
        Forecaster.load(saved)


def test_weights_of_another_model_are_refused(saved: Path) -> None:
    description = json.loads((saved / DESCRIPTION_FILE).read_text())
    assert len(description[CHECKSUM]) == 64
    (saved / DESCRIPTION_FILE).write_text(json.dumps(description | {CHECKSUM: 64 * "0"}))
    with pytest.raises(ModelUnavailable, match="000000000000… was saved"):
        Forecaster.load(saved)


@pytest.mark.parametrize("theirs", [1, 3])
def test_an_unreadable_format_is_refused_in_words(tmp_path: Path, theirs: int) -> None:
    shutil.copytree(GOLDEN / "format-2", tmp_path / "model")
    description = json.loads((tmp_path / "model" / DESCRIPTION_FILE).read_text())
    (tmp_path / "model" / DESCRIPTION_FILE).write_text(json.dumps(description | {"format": theirs}))
    with pytest.raises(ModelUnavailable, match=f"model format {theirs}, this version reads 2; train a new model"):
        Forecaster.load(tmp_path / "model")
