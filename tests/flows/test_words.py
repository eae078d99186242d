"""What steps tell people, in sentences, and machines, as plain JSON."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from flows.words import (
    issue_as_data,
    issue_in_words,
    maintenance_in_words,
    training_as_data,
    verification_as_data,
)
from lstm_model.forecasts import Issue, Verification
from lstm_model.network.training import Epoch
from lstm_model.readings.upkeep import Upkeep
from lstm_model.registry import Candidate, MaintenanceReport, Pruning


def test_a_training_tells_machines_its_version_span_and_scores() -> None:
    scores = pd.DataFrame({"mae": [1.23456, 2.0], "n": [10, 10]}, index=["challenger", "persistence"])
    epochs = [Epoch(0, math.nan, 0.2), Epoch(1, 0.21, 0.19)]
    begins, ends = pd.Timestamp("2024-01-01T00:00Z"), pd.Timestamp("2024-03-01T00:00Z")
    told = training_as_data(Candidate("7", "abc", 5.43219, epochs, scores, begins, ends))
    assert json.loads(json.dumps(told)) == {
        "version": "7", "run_id": "abc", "training_seconds": 5.432, "epochs": 1,
        "trained_from": "2024-01-01T00:00:00+00:00", "trained_until": "2024-03-01T00:00:00+00:00",
        "scores": {"challenger": {"mae": 1.2346, "n": 10}, "persistence": {"mae": 2.0, "n": 10}},
    }  # fmt: skip


def test_a_forecast_tells_machines_what_went_out_and_why_not_better() -> None:
    issued_at = pd.Timestamp("2024-03-01T00:00Z")
    issue = Issue(pd.DataFrame({"issued_at": [issued_at] * 6}), {"persistence": 2}, ("there is no champion",))
    assert json.loads(json.dumps(issue_as_data(issue))) == {
        "issued_at": "2024-03-01T00:00:00+00:00", "forecasts": 6, "methods": {"persistence": 2},
        "faults": ["there is no champion"], "limits": [],
    }  # fmt: skip


def test_a_verification_tells_machines_its_counts() -> None:
    report = Verification(pd.DataFrame({"crps": [1.0, 2.0]}), scored=5, waiting=7)
    assert verification_as_data(report) == {"fresh": 2, "scored": 5, "waiting": 7}


@pytest.mark.parametrize(
    ("stations", "said"), [(1, "1 station, 1 by damped anomaly"), (2, "2 stations, 2 by damped anomaly")]
)
def test_a_fleet_of_one_is_one_station(stations: int, said: str) -> None:
    rows = pd.DataFrame({"station_id": [f"roof {number}" for number in range(stations)]})
    assert issue_in_words(Issue(rows, {"damped_anomaly": stations}, ())) == said


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ([], "0 versions of the readings stay because models name them"),
        ([7], "1 version of the readings stays because a model names it"),
        ([7, 8], "2 versions of the readings stay because models name them"),
    ],
)
def test_maintenance_counts_what_it_keeps(kept: list[int], said: str) -> None:
    report = MaintenanceReport({"readings": Upkeep(12, 3, 9)}, kept, Pruning())
    assert maintenance_in_words(report) == f"12 files became 3, 9 old ones were removed; {said}"
