"""Of what was missed while nightcast was down, the newest runs; the older say why they don't."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from prefect.client.schemas.objects import FlowRun

from deployments.backlog import SUPERSEDED, UNSCHEDULED, outdated

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
NIGHTLY, INGEST = uuid4(), uuid4()


def run(deployment: UUID, hours_ago: int, *, by_schedule: bool = True) -> FlowRun:
    due = NOW - timedelta(hours=hours_ago)
    return FlowRun(flow_id=uuid4(), deployment_id=deployment, next_scheduled_start_time=due, auto_scheduled=by_schedule)


def test_the_newest_of_each_deployment_is_left_to_run() -> None:
    nights, hours = [run(NIGHTLY, ago) for ago in (54, 6, 30)], [run(INGEST, ago) for ago in (1, 2)]
    gone = outdated([*nights, *hours], {NIGHTLY, INGEST})
    assert {one.id for one, _ in gone} == {nights[0].id, nights[2].id, hours[1].id}
    assert {why for _, why in gone} == {SUPERSEDED}


def test_what_a_person_asked_for_runs_whenever_it_was_asked() -> None:
    asked, missed = run(NIGHTLY, 30, by_schedule=False), run(NIGHTLY, 6)
    assert outdated([asked, missed], {NIGHTLY}) == []


def test_what_is_no_longer_scheduled_does_not_run() -> None:
    missed = run(NIGHTLY, 6)
    assert outdated([missed], set()) == [(missed, UNSCHEDULED)]


def test_nothing_missed_is_nothing_to_do() -> None:
    assert outdated([], {NIGHTLY}) == []
