"""The promotion log: lines are only added, and a torn one spoils nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from support import NOW

from lstm_model.registry.promotion_log import Entry, PromotionLog
from lstm_model.workspace import Workspace

EVIDENCE = {"crps": {"challenger": 1.0, "seasonal_naive": math.nan}, "origins": 24, "champion_age_days": None}
ENTRY = Entry(NOW, NOW, "nightly", "promote", None, "1", "no_champion", "CRPS 1.0 °C", EVIDENCE)


@pytest.fixture
def promotions(make_workspace: Callable[..., Workspace]) -> PromotionLog:
    workspace = make_workspace()
    workspace.mlruns.mkdir()
    return PromotionLog(workspace)


def test_what_is_appended_is_read_back_in_order(promotions: PromotionLog) -> None:
    assert promotions.last() is None
    later = replace(ENTRY, at=NOW + pd.Timedelta("1D"), action="rollback", before="1", champion="2", evidence=None)
    promotions.append(ENTRY)
    promotions.append(later)
    first, second = promotions.entries()
    assert second == later
    assert first == replace(ENTRY, evidence={**EVIDENCE, "crps": {"challenger": 1.0, "seasonal_naive": None}})
    assert second == promotions.last()


def test_every_line_is_strict_json_with_the_agreed_keys(promotions: PromotionLog) -> None:
    promotions.append(ENTRY)
    (line,) = promotions._file.read_text().splitlines()
    row = json.loads(line, parse_constant=pytest.fail)
    assert list(row) == ["at", "as_of", "who", "action", "from", "to", "rule", "why", "evidence"]
    assert (row["from"], row["to"], row["why"]) == (None, "1", "CRPS 1.0 °C")


def test_a_line_torn_anywhere_is_no_entry_and_does_not_spoil_the_next(promotions: PromotionLog) -> None:
    promotions.append(ENTRY)
    promotions.append(replace(ENTRY, champion="2"))
    whole = promotions._file.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        promotions._file.write_bytes(whole[:end])
        survived = 2 if end == len(whole) - 1 else 1  # only the newline is missing: the decision was written
        assert len(promotions.entries()) == survived
        promotions.append(replace(ENTRY, champion="3"))
        assert [entry.champion for entry in promotions.entries()] == [*["1", "2"][:survived], "3"]
