"""Time as a horizontal axis, wherever clocks change."""

from __future__ import annotations

import pandas as pd
import pytest

from lstm_model.report.times import hour, time_ticks


@pytest.mark.parametrize(
    ("zone", "first", "words"),
    [
        ("Africa/Cairo", "2025-04-23T12:00Z", ["Thu 24", "Fri 25", "Sat 26"]),  # from 00:00 to 01:00 on the 25th
        ("America/Havana", "2025-03-07T12:00Z", ["Sat 8", "Sun 9", "Mon 10"]),  # the same, on the 9th
        ("America/Havana", "2025-10-31T12:00Z", ["Sat 1", "Sun 2", "Mon 3"]),  # midnight of the 2nd comes twice
        ("Europe/Berlin", "2025-03-28T12:00Z", ["Sat 29", "Sun 30", "Mon 31"]),
    ],
)
def test_days_begin_where_the_reader_lives_even_if_midnight_is_skipped(zone: str, first: str, words: list[str]) -> None:
    begin = pd.Timestamp(first)
    ticks = time_ticks(begin, begin + pd.Timedelta("3D"), zone)
    assert [told for _, told in ticks if ":" not in told] == words
    assert [place for place, _ in ticks] == sorted({place for place, _ in ticks})


def test_a_skipped_midnight_lies_where_the_clocks_go_on() -> None:
    begin = pd.Timestamp("2025-04-24T18:00Z")
    ticks = {told: place for place, told in time_ticks(begin, begin + pd.Timedelta("5h"), "Africa/Cairo")}
    assert ticks["Fri 25"] == hour(pd.Timestamp("2025-04-24T22:00Z"))
    assert list(ticks) == ["20:00", "21:00", "22:00", "23:00", "Fri 25", "02:00"]
