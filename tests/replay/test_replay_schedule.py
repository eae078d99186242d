"""Which nights there were, and the days that a person names them by."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.clock import parse_day
from lstm_model.errors import SettingsError
from lstm_model.replay import nights_between
from lstm_model.settings import Settings


def own(nightly: str = "15 2 * * *", timezone: str = "UTC") -> Settings:
    """Settings of a fleet of one's own."""
    schedule = {"nightly": nightly, "timezone": timezone}
    return Settings.model_validate({"source": {"attic": {"path": "attic.csv"}}, "schedule": schedule})


def between(first: str, last: str, settings: Settings) -> list[str]:
    return [f"{night:%m-%d %H:%M}" for night in nights_between(pd.Timestamp(first), pd.Timestamp(last), settings)]


def test_nights_are_those_of_the_schedule() -> None:
    nights = nights_between(pd.Timestamp("2024-03-01T00:00Z"), pd.Timestamp("2024-03-04T00:00Z"), own())
    assert nights == list(pd.date_range("2024-03-01T02:15Z", periods=3, freq="1D"))
    assert all(str(night.tz) == "UTC" for night in nights)
    assert between("2024-03-01T00:00Z", "2024-03-10T00:00Z", own("0 4 * * 1")) == ["03-04 04:00"]


@pytest.mark.parametrize(
    ("first", "last", "nights"),
    [
        ("2024-03-01T02:15Z", "2024-03-02T02:15Z", ["03-01 02:15", "03-02 02:15"]),
        ("2024-03-01T02:15:01Z", "2024-03-02T02:15Z", ["03-02 02:15"]),
        ("2024-03-01T02:15Z", "2024-03-02T02:14:59Z", ["03-01 02:15"]),
        ("2024-03-01T02:15Z", "2024-03-01T02:15Z", ["03-01 02:15"]),
    ],
)
def test_both_ends_belong_to_the_span(first: str, last: str, nights: list[str]) -> None:
    assert between(first, last, own()) == nights


def test_the_hour_is_the_zones_when_clocks_go_forward() -> None:
    """At half past two on 31 March 2024 it was half past three in Berlin already."""
    assert between("2024-03-29T12:00Z", "2024-04-01T12:00Z", own("15 5 * * *", "Europe/Berlin")) == [
        "03-30 04:15", "03-31 03:15", "04-01 03:15",
    ]  # fmt: skip
    skipped = between("2024-03-29T12:00Z", "2024-04-01T12:00Z", own("30 2 * * *", "Europe/Berlin"))
    assert (skipped[0], skipped[-1], len(skipped)) == ("03-30 01:30", "04-01 00:30", 3)


def test_the_hour_that_comes_twice_holds_one_night() -> None:
    nights = between("2024-10-25T12:00Z", "2024-10-28T12:00Z", own("30 2 * * *", "Europe/Berlin"))
    assert (nights[0], nights[-1], len(nights)) == ("10-26 00:30", "10-28 01:30", 3)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_a_year_has_a_night_a_day_and_a_span_cut_in_two_has_the_same(zone: str) -> None:
    settings = own("15 2 * * *", zone)
    first, last = pd.Timestamp("2024-01-01T00:00", tz=zone), pd.Timestamp("2024-12-31T23:59", tz=zone)
    whole = nights_between(first.tz_convert("UTC"), last.tz_convert("UTC"), settings)
    assert len(whole) == 366
    assert whole == sorted(set(whole))
    for cut in (whole[70], whole[90], whole[300]):
        before = nights_between(whole[0], cut - pd.Timedelta("1s"), settings)
        assert before + nights_between(cut, whole[-1], settings) == whole


def test_the_sample_has_its_nights_at_eleven() -> None:
    sample = Settings()
    assert between("2013-12-01T00:00Z", "2013-12-03T22:59Z", sample) == ["12-01 23:00", "12-02 23:00"]
    assert between("2013-12-01T23:00Z", "2013-12-02T23:00Z", sample) == ["12-01 23:00", "12-02 23:00"]
    assert between("2013-12-01T23:01Z", "2013-12-02T23:00Z", sample) == ["12-02 23:00"]


@pytest.mark.parametrize("settings", [Settings(), own()], ids=["sample", "own"])
@pytest.mark.parametrize(("first", "last"), [("03:00", "04:00"), ("04:00", "03:00"), ("23:30", "00:00")])
def test_a_span_without_a_night_is_refused_in_words(settings: Settings, first: str, last: str) -> None:
    with pytest.raises(SettingsError, match=rf"no night from 2024-03-01 {first} to 2024-03-01 {last}; widen the span"):
        nights_between(pd.Timestamp(f"2024-03-01T{first}Z"), pd.Timestamp(f"2024-03-01T{last}Z"), settings)


def test_a_day_begins_and_ends_at_midnight() -> None:
    assert parse_day("2024-02-28") == pd.Timestamp("2024-02-28T00:00Z")
    assert parse_day("2024-02-28", end=True) == pd.Timestamp("2024-02-28T23:59:59.999999Z")
    assert parse_day("2024-02-28", end=True) < parse_day("2024-02-29")


def test_a_time_is_taken_as_it_is_at_either_end() -> None:
    for end in (False, True):
        assert parse_day("2024-02-28T23:00+01:00", end=end) == pd.Timestamp("2024-02-28T22:00Z")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("2024-02-28T23:00", "names no zone"), ("2024-02-30", "'2024-02-30' is no day"), ("yesterday", "is no time")],
)
def test_days_by_hand_are_refused_in_words(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse_day(text)
