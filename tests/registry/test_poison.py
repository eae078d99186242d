"""Poisoned readings: whatever a challenger made of them, the champion stays and the forecast goes out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support import NOW, fleet_readings, store_of, with_pressure

from lstm_model.forecasts import issue_forecast
from lstm_model.registry import open_tracking, promote_challenger, train_candidate
from lstm_model.registry.tracking import MODEL
from lstm_model.workspace import Workspace

TONIGHT = NOW + pd.Timedelta("8D")  # an equal challenger would replace the champion of a week


@pytest.fixture
def a_week_later(trained: Workspace) -> Workspace:
    store_of(trained).upsert(with_pressure(fleet_readings(days=8, end=TONIGHT, seed=5)))
    return trained


def poison(workspace: Workspace, rows: pd.DataFrame, values: np.ndarray) -> None:
    """Write other values over readings, their flags forced good."""
    month = rows["observed_at"].dt.strftime("%Y-%m")
    store_of(workspace).upsert(
        rows.assign(month=month, temperature_c=values.astype(np.float32), flag=np.int8(1), source="fleet",
                    ingested_at=TONIGHT.as_unit("us"))
    )  # fmt: skip


def champion_of(workspace: Workspace) -> str:
    return str(open_tracking(workspace).get_registered_model(MODEL).aliases["champion"])


def test_a_challenger_that_learnt_shuffled_history_is_refused_on_clean_truth(a_week_later: Workspace) -> None:
    rows = store_of(a_week_later).read(TONIGHT - pd.Timedelta("12D"))  # all that is learnt from, and no truth
    assert len(rows) > 2 * 30 * 24 * 3
    poison(a_week_later, rows, np.random.default_rng(0).permutation(rows["temperature_c"].to_numpy()))
    train_candidate(a_week_later, TONIGHT)
    promotion = promote_challenger(a_week_later, TONIGHT)
    assert promotion.summary is not None
    assert promotion.summary.loc["challenger", "crps"] > 1.02 * promotion.summary.loc["champion", "crps"]
    assert not promotion.decision.promote
    assert champion_of(a_week_later) == "1"
    assert issue_forecast(a_week_later, TONIGHT, TONIGHT).methods == {"champion": 3}


def test_a_window_whose_level_jumped_is_refused_in_those_words(trained: Workspace) -> None:
    """The challenger learnt the jump as well as the champion did not, and would win on it."""
    long = fleet_readings(days=220, end=TONIGHT)
    store_of(trained).upsert(with_pressure(long))
    late = long[long["observed_at"] > TONIGHT - pd.Timedelta("35D")]
    poison(trained, late[["station_id", "observed_at"]], late["temperature_c"].to_numpy() + 15)
    train_candidate(trained, TONIGHT)
    promotion = promote_challenger(trained, TONIGHT)
    assert (promotion.decision.promote, promotion.decision.rule) == (False, "level_jumped")
    assert promotion.decision.reason.startswith("the window cannot be trusted")
    assert champion_of(trained) == "1"
    assert issue_forecast(trained, TONIGHT, TONIGHT).methods == {"champion": 3}
