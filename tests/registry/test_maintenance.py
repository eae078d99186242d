"""Maintenance knows what registered models were trained on."""

from __future__ import annotations

import pandas as pd
from deltalake import DeltaTable
from support import NOW, fleet_readings, move_clock_on, store_of

from lstm_model.registry import maintain
from lstm_model.workspace import Workspace


def test_what_a_model_was_trained_on_stays_readable(trained: Workspace) -> None:
    version = store_of(trained).version
    before = store_of(trained).read(NOW)
    store_of(trained).upsert(fleet_readings(seed=1))  # every reading corrected
    move_clock_on(trained.readings, 40)
    report = maintain(trained, NOW)
    assert report.kept_versions == [version]
    store_of(trained).upsert(fleet_readings(seed=2))
    assert set(report.tables) == {"readings", "quarantine", "files", "forecasts", "scores"}
    pd.testing.assert_frame_equal(store_of(trained).read(NOW, version=version), before)
    assert DeltaTable(trained.readings).version() > version
