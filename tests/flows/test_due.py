"""The next times of the schedules, in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.due import Due


@pytest.mark.parametrize(
    ("at", "zone", "words"),
    [
        (datetime(2026, 11, 26, 2, 15, tzinfo=UTC), "UTC", "Thu 2026-11-26 02:15 UTC"),
        (
            datetime(2026, 11, 26, 1, 15, tzinfo=UTC),
            "Europe/Berlin",
            "Thu 2026-11-26 01:15 UTC (02:15 Europe/Berlin)",
        ),
        (
            datetime(2026, 7, 26, 1, 15, tzinfo=UTC),
            "America/New_York",
            "Sun 2026-07-26 01:15 UTC (Sat 2026-07-25 21:15 America/New_York)",
        ),
        (
            datetime(2026, 1, 26, 1, 15, tzinfo=UTC),
            "Europe/London",
            "Mon 2026-01-26 01:15 UTC (01:15 Europe/London)",
        ),
        (None, "UTC", "not planned"),
    ],
)
def test_a_time_is_told_in_utc_and_in_the_zone_of_its_schedule(at: datetime | None, zone: str, words: str) -> None:
    assert Due("nightly", at, zone).in_words() == words
