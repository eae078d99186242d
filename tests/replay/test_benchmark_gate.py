"""benchmarks/gate.py: under the settings that a replay had, its nights are decided as the replay decided them."""

from __future__ import annotations

import pytest
from past_nights import Past

from benchmarks.gate import Past as ToDecideAgain
from benchmarks.gate import alarms


def test_the_same_settings_decide_the_same(past: Past) -> None:
    again = ToDecideAgain(past.folder)
    found, gate = again.decide_again(again.gate), past.outcome.policies.set_index("policy").loc["gate"]
    assert sum(found["rules"].values()) == len(past.outcome.nights)
    assert found["promotions"] == gate["promotions"] >= 1
    assert found["mae"] == pytest.approx(gate["mae"])
    assert found["crps"] == pytest.approx(gate["crps"])


def test_a_gate_that_refuses_nobody_promotes_every_night(past: Past) -> None:
    again = ToDecideAgain(past.folder)
    found = again.decide_again(again.gate.model_copy(update={"margin": 9.0, "significance": 0.0, "refresh_days": 0}))
    assert found["promotions"] == len(past.outcome.nights)
    assert found["beyond_always"] == pytest.approx(0)


def test_ours_cries_wolf_less_than_the_variances_at_hand() -> None:
    false = {row["test"]: row["false_alarms"] for row in alarms(150, memories=(0.5,))}
    assert false["ours"] < min(false["Hering-Genton"], false["Harvey-Leybourne-Newbold"])
