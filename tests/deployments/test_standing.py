"""What a person changed on the dashboard gives way to nightcast.toml, and not silently."""

from __future__ import annotations

from uuid import uuid4

import pytest

from deployments.plan import NEVER, Planned, plan, plan_version
from deployments.standing import Standing, overridden
from lstm_model.settings import ScheduleSettings

EVERY_NIGHT = "'15 2 * * *' (UTC)"


def nightly(cron: str = "15 2 * * *") -> Planned:
    return Planned("nightly", "flows.nightly.nightly_flow", ("nightcast",), "lives a night", cron, "UTC")


def standing(words: str, *, in_pool: bool = False) -> dict[str, Standing]:
    return {"nightly": Standing(uuid4(), words, plan_version(), "lives a night", in_pool)}


def test_a_change_by_hand_is_told_in_one_line() -> None:
    (line,) = overridden([nightly()], standing("'0 4 * * *' (UTC)"), {"nightly": EVERY_NIGHT})
    assert line == (
        "nightly: the dashboard says '0 4 * * *' (UTC), nightcast.toml decides: '15 2 * * *' (UTC); "
        "to keep the change, set `nightly` under [schedule]"
    )


def test_a_pause_by_hand_is_told_as_well() -> None:
    (line,) = overridden([nightly()], standing(f"{EVERY_NIGHT}, paused"), {"nightly": EVERY_NIGHT})
    assert "paused" in line


def test_a_change_of_nightcast_toml_is_nobody_s_but_ours() -> None:
    assert overridden([nightly("0 5 * * *")], standing(EVERY_NIGHT), {"nightly": EVERY_NIGHT}) == []


def test_the_same_change_on_both_sides_is_no_contradiction() -> None:
    assert overridden([nightly("0 4 * * *")], standing("'0 4 * * *' (UTC)"), {"nightly": EVERY_NIGHT}) == []


def test_nothing_is_told_of_what_was_never_registered() -> None:
    assert overridden([nightly()], {}, {}) == []
    assert overridden([nightly()], standing(NEVER), {}) == []


def test_what_stands_as_planned_is_left_alone() -> None:
    stands = standing(EVERY_NIGHT)["nightly"]
    assert stands.is_as(nightly())
    assert not stands.is_as(nightly("0 4 * * *"))
    assert not standing(f"{EVERY_NIGHT}, paused")["nightly"].is_as(nightly())
    assert not standing(EVERY_NIGHT, in_pool=True)["nightly"].is_as(nightly())


@pytest.mark.parametrize(("automations", "well"), [(0, False), (1, True), (2, False)])
def test_an_automation_that_is_missing_or_there_twice_is_made_anew(automations: int, well: bool) -> None:
    (forecast,) = (one for one in plan(ScheduleSettings()) if one.name == "forecast")
    stands = Standing(uuid4(), forecast.schedule_in_words, plan_version(), forecast.description, False, automations)
    assert stands.is_as(forecast) is well
