"""Times as people write them: understood as UTC, or missing with a reason, but never wrong."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_model.errors import SettingsError
from lstm_model.readings.times import (
    REPEATED,
    SKIPPED,
    UNREADABLE,
    check_format,
    check_zones,
    guess_format,
    localize,
    read_times,
)

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
CLOCKS_GO_BACK = {
    BERLIN: pd.Timestamp("2023-10-29T01:00Z"),
    NEW_YORK: pd.Timestamp("2023-11-05T06:00Z"),
    LORD_HOWE: pd.Timestamp("2024-04-06T15:00Z"),
}
CLOCKS_GO_FORWARD = {
    BERLIN: pd.Timestamp("2024-03-31T01:00Z"),
    NEW_YORK: pd.Timestamp("2024-03-10T07:00Z"),
    LORD_HOWE: pd.Timestamp("2023-09-30T15:30Z"),
}
BACK_BY = {BERLIN: 60, NEW_YORK: 60, LORD_HOWE: 30}


def read(texts, time_format="iso", zone="UTC", stations="a"):
    """UTC and fault of every text."""
    column = pd.Series(texts, dtype="str")
    who = pd.Series(stations, index=column.index, dtype="str")
    return localize(read_times(column, time_format), pd.Series(zone, index=column.index, dtype="str"), who)


def shown(utc):
    return [None if pd.isna(time) else time.isoformat().removesuffix(":00+00:00") for time in utc]


def as_shown_on_a_wall(instants, zone):
    return instants.tz_convert(zone).strftime("%Y-%m-%d %H:%M").tolist()


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T10:00Z", "2024-01-01 12:00:00+02:00", "2024-01-01T05:00-0500", "2024-01-01T10:00:00.000Z",
        "2024-01-01 11:00:00+01", "2024-01-01 11:00:00 +0100", "2024-01-01 10:00 UTC", "2024-01-01 10:00 GMT",
        "2024/01/01 10:00Z", "20240101T100000Z", "2024-01-01t10:00z", "2024-01-01 10:00 utc", "2024-01-01T10Z",
        "2024-01-01T15:30+05:30", "2024-01-01 11+01",
    ],
)  # fmt: skip
def test_a_time_with_a_zone_becomes_utc(text):
    utc, fault = read([text], zone=LORD_HOWE)
    assert (shown(utc), fault.tolist()) == (["2024-01-01T10:00"], [""])


@pytest.mark.parametrize(
    "text",
    ["2024-01-01 10:00", "2024-01-01T10:00:00", "2024/1/1 10:00", "20240101 1000", "2024-01-01 10:00:00,000"],
)
def test_a_time_without_a_zone_is_read_in_the_zone_given(text):
    assert shown(read([text], zone=BERLIN)[0]) == ["2024-01-01T09:00"]


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "now", "today", "NaT", "nan", "-", "10:30", "2024", "2024-01", "2024-13-01 00:00", "2023-02-29",
        "2024-01-01 25:00", "2024-01-01 10:00 CET", "2024-01-01T10:00+01:00[Europe/Berlin]", "99999-01-01",
        "9999-12-31 23:59", "0001-01-01 00:00", "٢٠٢٤-٠١-٠١ 10:00:zz",
    ],
)  # fmt: skip
@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK])
def test_what_is_no_time_is_missing_and_costs_no_other_row(text, zone):
    utc, fault = read([text, "2024-01-01T10:00Z", "2024-01-01T10:00"], zone=zone)
    assert fault.tolist() == [UNREADABLE, "", ""]
    assert utc.notna().tolist() == [False, True, True]


@pytest.mark.parametrize("text", ["2024-01-01T10:00:00.1234567Z", "2024-01-01T10:00:00.123456789+00:00"])
def test_a_time_finer_than_microseconds_is_cut_to_them(text):
    assert read([text])[0].tolist() == [pd.Timestamp("2024-01-01T10:00:00.123456Z")]


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("epoch_s", "1704103200"), ("epoch_s", "1704103200.0"), ("epoch_s", " 1704103200 "),
        ("epoch_ms", "1704103200000"), ("epoch_us", "1704103200000000"), ("epoch_ns", "1704103200000000000"),
        ("%d.%m.%Y %H:%M", "01.01.2024 10:00"), ("%m/%d/%Y %I:%M %p", "1/1/2024 10:00 AM"),
        ("%Y-%m-%dT%H:%M%z", "2024-01-01T11:00+0100"), ("%d.%m.%Y %H:%M %Z", "01.01.2024 10:00 UTC"),
        ("%Y%m%d%H%M", "202401011000"),
    ],
)  # fmt: skip
def test_every_format_is_read(time_format, text):
    utc, fault = read([text, "soon"], time_format)
    assert shown(utc) == ["2024-01-01T10:00", None]
    assert fault.tolist() == ["", UNREADABLE]


@pytest.mark.parametrize("text", ["inf", "1e300", "99999999999999999999", "-99999999999999999999", "1704103200,5"])
@pytest.mark.parametrize("time_format", ["epoch_s", "epoch_ms", "epoch_us", "epoch_ns"])
def test_an_epoch_beyond_all_calendars_is_missing(time_format, text):
    assert read([text], time_format)[1].tolist() == [UNREADABLE]


def test_typed_times_are_taken_as_they_are():
    clock = pd.Series(pd.to_datetime(["2024-07-01T10:00", None]))
    zones, stations = pd.Series(BERLIN, clock.index), pd.Series("a", clock.index)
    assert shown(localize(read_times(clock, "epoch_s"), zones, stations)[0]) == ["2024-07-01T08:00", None]
    zoned = clock.dt.tz_localize(NEW_YORK)
    assert shown(localize(read_times(zoned, "iso"), zones, stations)[0]) == ["2024-07-01T14:00", None]


@pytest.mark.parametrize(
    ("texts", "time_format"),
    [
        (["2024-01-01T10:00Z"], "iso"),
        (["2024/01/01 10:00"], "iso"),
        ([], "iso"),
        (["", "soon"], "iso"),
        (["1704103200"], "epoch_s"),
        (["1704103200.5", "1704103201.5", "soon"], "epoch_s"),
        (["1704103200000"], "epoch_ms"),
        (["0", "1704103200000", "1704103201000"], "epoch_ms"),
        (["1704103200000000"], "epoch_us"),
        (["1704103200000000000"], "epoch_ns"),
        (["20240101"], "%Y%m%d"),
        (["202401011000"], "%Y%m%d%H%M"),
        (["20240101100000"], "%Y%m%d%H%M%S"),
        (["01.02.2024 10:00"], "%d.%m.%Y %H:%M"),
        (["01.02.2024"], "%d.%m.%Y"),
        (["01.02.2024", "01.02.2024 00:15", "01.02.2024 00:30"], "%d.%m.%Y %H:%M"),
        (["01.31.2024 10:00"], "%m.%d.%Y %H:%M"),
        (["01/02/2024 10:00:30", "13/02/2024 10:00:30"], "%d/%m/%Y %H:%M:%S"),
        (["01/02/2024 10:00", "01/13/2024 10:00"], "%m/%d/%Y %H:%M"),
        (["1/13/2024 2:05 PM"], "%m/%d/%Y %I:%M %p"),
        (["31-12-2024T10:00:00.5"], "%d-%m-%YT%H:%M:%S.%f"),
        (["31/12/2024, 14:05:00"], "%d/%m/%Y, %H:%M:%S"),
        (["31/12/2024 14:05+01:00"], "%d/%m/%Y %H:%M%z"),
    ],
)
def test_the_format_is_guessed(texts, time_format):
    assert guess_format(pd.Series(texts, dtype="str"), "a.csv") == time_format


@pytest.mark.parametrize(
    ("texts", "time_format", "expected"),
    [
        (["31/12/2024, 14:05:00"], "%d/%m/%Y, %H:%M:%S", "2024-12-31T14:05"),
        (["1/13/2024 2:05 PM"], "%m/%d/%Y %I:%M %p", "2024-01-13T14:05"),
        (["31/12/2024 14:05+01:00"], "%d/%m/%Y %H:%M%z", "2024-12-31T13:05"),
    ],
)
def test_what_is_guessed_can_be_read(texts, time_format, expected):
    assert guess_format(pd.Series(texts), "a.csv") == time_format
    assert shown(read(texts, time_format)[0]) == [expected]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["03/04/2024 10:00", "04/04/2024 10:00"], "'03/04/2024 10:00' may put the day or the month first"),
        (["13/01/2024", "01/01/2024", "01/14/2024"], "'13/01/2024' puts the day first, '01/14/2024' the month"),
    ],
)
def test_day_and_month_that_cannot_be_told_apart_are_refused_with_the_way_out(texts, said):
    with pytest.raises(SettingsError) as caught:
        guess_format(pd.Series(texts), "inbox/a.csv")
    assert str(caught.value) == (f'inbox/a.csv: {said}. Say which: time_format = "%d/%m/%Y %H:%M" or "%m/%d/%Y %H:%M".')


@pytest.mark.parametrize("time_format", ["iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "%d.%m.%Y %H:%M %z"])
def test_a_format_is_accepted(time_format):
    check_format(time_format, "cellar")


@pytest.mark.parametrize("time_format", ["", "ISO", "ISO8601", "mixed", "epoch_h", "dd.mm.yyyy", "%Y-%m-%d %Q", "%"])
def test_what_is_no_format_is_refused_with_the_way_out(time_format):
    with pytest.raises(SettingsError, match=r"^source\.cellar: time_format = .* write iso, epoch_s, epoch_ms or a pat"):
        check_format(time_format, "cellar")


def test_a_time_that_names_no_zone_is_refused_by_line_and_way_out():
    texts = pd.Series(["2024-01-01T10:00Z", "2024-01-01 11:00"])
    with pytest.raises(SettingsError) as caught:
        check_zones(read_times(texts, "iso"), pd.Series([None, None]), texts, pd.Series([2, 4]), "a.csv", "cellar")
    assert str(caught.value) == (
        "a.csv:4: the time '2024-01-01 11:00' names no zone. Say which: "
        '[source.cellar] timezone = "UTC" (or "Europe/Berlin", …) in nightcast.toml.'
    )


def test_summer_and_winter_have_their_own_offset():
    utc, _ = read(["2024-01-15 12:00", "2024-07-15 12:00"], zone=BERLIN)
    assert shown(utc) == ["2024-01-15T11:00", "2024-07-15T10:00"]


def test_an_hour_that_a_clock_change_skips_or_repeats_has_no_time():
    texts = ["2024-03-31 01:59", "2024-03-31 02:30", "2024-03-31 03:00"]
    texts += ["2024-10-27 01:59", "2024-10-27 02:30", "2024-10-27 03:00"]
    utc, fault = read(texts, zone=BERLIN)
    assert shown(utc) == ["2024-03-31T00:59", None, "2024-03-31T01:00", "2024-10-26T23:59", None, "2024-10-27T02:00"]
    assert fault.tolist() == ["", SKIPPED, "", "", REPEATED, ""]


def test_the_repeated_hour_is_clear_where_the_times_say_their_offset():
    utc, _ = read(["2024-10-27T02:30+02:00", "2024-10-27T02:30+01:00"], zone=BERLIN)
    assert shown(utc) == ["2024-10-27T00:30", "2024-10-27T01:30"]


def hours(text):
    """`02:15` and so on as texts of the day on which clocks go back in Berlin."""
    return [f"2023-10-29 {clock}" for clock in text.split()]


@pytest.mark.parametrize(
    ("clocks", "passes"),
    [
        ("01:00 02:00 02:00 03:00", ".12."),
        ("03:00 02:00 02:00 01:00", ".21."),
        ("01:30 02:00 02:30 02:00 02:30 03:00", ".1122."),
        ("03:00 02:30 02:00 02:30 02:00 01:30", ".2211."),
        ("02:00 02:30 02:00 02:30", "1122"),
        ("02:30 02:00 02:30 02:00", "2211"),
        ("02:30 02:45 02:00 02:15", "1122"),
        ("01:30 02:30 02:00", ".12"),
        ("02:30 02:00 03:00", "12."),
        ("02:00 02:30 01:30", "21."),
        ("03:00 02:00 02:30 01:30", ".21."),
    ],
)
def test_rows_in_order_say_which_pass_through_the_repeated_hour_they_are_of(clocks, passes):
    utc, fault = read(hours(clocks), zone=BERLIN)
    back = CLOCKS_GO_BACK[BERLIN]
    told = ["." if clock < "02" or clock >= "03" else "1" if time < back else "2"
            for clock, time in zip(clocks.split(), utc, strict=True)]  # fmt: skip
    assert "".join(told) == passes
    assert set(fault) == {""}


@pytest.mark.parametrize(
    "clocks",
    [
        "02:30",
        "02:00 02:00",  # oldest or newest first?
        "02:30 02:00",
        "02:45 02:00 02:15",  # forwards: one of the first pass; backwards: one of the second
        "02:30 02:00 02:30",
        "01:00 02:00 02:30 03:00",  # which pass is missing?
        "02:00 02:30",
        "01:00 02:00 02:00 02:30 02:30 03:00",  # sorted by the clock on the wall
        "01:00 02:30 02:00 02:30 02:00 03:00",
        "01:00 02:00 02:00 03:00 00:30",  # in no order elsewhere
        "01:30 02:00 02:30 03:00 03:15 02:30 02:45 03:30",  # the logger changed its clock too late
        "01:00 02:00 02:00 02:00 03:00",
        "01:30 01:45 02:00 02:15 02:15 02:30 02:45 03:00 03:15",  # one pass only, and a row of it twice
        "01:30 01:45 02:00 02:30 02:15 02:45 03:00 03:15",  # one pass only, and two rows of it swapped
    ],
)
def test_rows_that_do_not_say_which_pass_they_are_of_have_no_time(clocks):
    utc, fault = read(hours(clocks), zone=BERLIN)
    within = np.array([clock.startswith("02") for clock in clocks.split()])
    assert utc.isna().tolist() == within.tolist()
    assert fault.tolist() == np.where(within, REPEATED, "").tolist()


def test_each_station_resolves_its_own_rows():
    texts = hours("01:00 01:00 02:00 02:00 02:00 03:00 03:00")
    utc, fault = read(texts, zone=BERLIN, stations=list("abababa"))
    assert shown(utc) == [f"2023-10-{time}" for time in ("28T23:00", "28T23:00", "29T00:00")] + [
        None, "2023-10-29T01:00", "2023-10-29T02:00", "2023-10-29T02:00",
    ]  # fmt: skip
    assert fault[3] == REPEATED


def test_every_year_is_resolved_on_its_own():
    texts = hours("01:00 02:00 02:00 03:00")
    texts += ["2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 03:00"]
    assert read(texts, zone=BERLIN)[1].tolist() == ["", "", "", "", "", REPEATED, ""]


def test_stations_have_their_own_zones():
    utc, _ = read(["2024-01-01 12:00"] * 2, zone=[BERLIN, NEW_YORK], stations=["a", "b"])
    assert shown(utc) == ["2024-01-01T11:00", "2024-01-01T17:00"]


@st.composite
def days_around_a_change(draw, changes):
    """A zone, and a regular series of instants that begins before its change of clocks and ends after."""
    zone = draw(st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE]))
    step = draw(st.integers(5, 60))
    before, after = (draw(st.integers(120, 3 * 1440)) for _ in range(2))
    change = changes[zone]
    start = change - pd.Timedelta(minutes=before)
    return zone, step, pd.date_range(start, change + pd.Timedelta(minutes=after), freq=f"{step}min")


@settings(max_examples=60)
@given(drawn=days_around_a_change(CLOCKS_GO_BACK), newest_first=st.booleans())
def test_any_regular_series_over_the_repeated_hour_comes_back(drawn, newest_first):
    zone, step, instants = drawn
    instants = instants[::-1] if newest_first else instants
    utc, fault = read(as_shown_on_a_wall(instants, zone), zone=zone)
    missing = utc.isna().to_numpy()
    assert (utc[~missing].array == instants[~missing]).all()
    assert fault.tolist() == np.where(missing, REPEATED, "").tolist()
    assert not missing.any() or step > BACK_BY[zone]


@settings(max_examples=30)
@given(drawn=days_around_a_change(CLOCKS_GO_FORWARD), newest_first=st.booleans())
def test_any_regular_series_over_the_skipped_hour_comes_back(drawn, newest_first):
    zone, _, instants = drawn
    instants = instants[::-1] if newest_first else instants
    utc, _ = read(as_shown_on_a_wall(instants, zone), zone=zone)
    assert (utc.array == instants).all()


@settings(max_examples=60)
@given(
    drawn=days_around_a_change(CLOCKS_GO_BACK),
    newest_first=st.booleans(),
    kept=st.floats(0.02, 0.95),
    seed=st.integers(0),
)
def test_rows_that_are_lost_never_make_another_one_wrong(drawn, newest_first, kept, seed):
    zone, _, instants = drawn
    instants = instants[np.random.default_rng(seed).random(len(instants)) < kept]
    instants = instants[::-1] if newest_first else instants
    utc, fault = read(as_shown_on_a_wall(instants, zone), zone=zone)
    missing = utc.isna().to_numpy()
    assert (utc[~missing].array == instants[~missing]).all()
    assert fault.tolist() == np.where(missing, REPEATED, "").tolist()


def ways_in_order(local, zone):
    """Every reading of wall-clock times as instants of which each is later, or each earlier, than the one before."""
    choices = [
        sorted({time.tz_localize(zone, ambiguous=first).tz_convert("UTC") for first in (True, False)}) for time in local
    ]
    ways = [pd.DatetimeIndex(way) for way in product(*choices)]
    return [
        way
        for way in ways
        if len(way) < 2 or (way.is_unique and (way.is_monotonic_increasing or way.is_monotonic_decreasing))
    ]


@settings(max_examples=80)
@given(
    zone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE]),
    minutes=st.lists(st.integers(-9, 11).map(lambda number: 10 * number), min_size=1, max_size=7),
)
def test_rows_in_any_order_have_a_time_only_where_there_is_one_way_to_order_them(zone, minutes):
    instants = pd.DatetimeIndex([CLOCKS_GO_BACK[zone] + pd.Timedelta(minutes=number) for number in minutes])
    local = instants.tz_convert(zone).tz_localize(None)
    utc, fault = read(as_shown_on_a_wall(instants, zone), zone=zone)
    ways = ways_in_order(local, zone)
    back, change = pd.Timedelta(minutes=BACK_BY[zone]), CLOCKS_GO_BACK[zone]
    within = (instants >= change - back) & (instants < change + back)
    if utc.isna().any() or len(ways) != 1:
        assert utc.isna().tolist() == within.tolist()
        assert fault.tolist() == np.where(within, REPEATED, "").tolist()
    else:
        assert utc.tolist() == ways[0].tolist()
