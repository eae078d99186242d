"""Quality control: what each check finds, what it leaves alone, and that arrival has no part in it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ioos_qc import qartod

from lstm_model.harmonics import harmonic_design
from lstm_model.readings.quality import FAIL, GOOD, SUSPECT, QualityControl
from lstm_model.readings.stations import Station, Stations
from lstm_model.readings.usual import Neighbour, Usual, learn, may_last, smooth
from lstm_model.settings import QualitySettings

HOUR = pd.Timedelta("1h")
START = pd.Timestamp("2024-01-01T00:00Z")


def series(values, station="a", start=START, step=HOUR):
    """Readings at regular times; NaN where there is none."""
    times = pd.date_range(start, periods=len(values), freq=step).as_unit("us")
    frame = pd.DataFrame({"station_id": station, "observed_at": times, "temperature_c": np.float32(values)})
    return frame.dropna(ignore_index=True)


def weather(hours, seed=0, mean=10.0):
    """A daily cycle, weather that lasts, and a little noise that keeps every line from being flat."""
    chance = np.random.default_rng(seed)
    slow = np.zeros(hours)
    for hour in range(1, hours):
        slow[hour] = 0.97 * slow[hour - 1] + chance.normal(0, 0.6)
    return mean + 4 * np.sin(2 * np.pi * np.arange(hours) / 24) + slow + chance.normal(0, 0.2, hours)


def fleet(hours, stations=("a", "b", "c"), seed=0):
    """Stations under the same weather, each with noise of its own: a table of hours × stations."""
    common = weather(hours, seed)
    return {
        name: common + number + np.random.default_rng(seed + 1 + number).normal(0, 0.4, hours)
        for number, name in enumerate(stations)
    }


def long(table, start=START):
    return pd.concat([series(values, name, start) for name, values in sorted(table.items())], ignore_index=True)


def flags_of(readings, quality=None):
    return (quality or QualityControl(QualitySettings(), HOUR)).assess(readings).flags.tolist()


def test_ordinary_weather_is_good():
    assert set(flags_of(series(weather(2000)))) == {GOOD}


@pytest.mark.parametrize(
    ("value", "flag"), [(-90.0, GOOD), (-90.1, FAIL), (60.0, GOOD), (60.1, FAIL)], ids=["cold", "cold!", "hot", "hot!"]
)
def test_the_gross_range_includes_its_ends(value, flag):
    assert flags_of(series([value])) == [flag]


def test_the_owner_of_a_station_knows_its_range():
    stations = Stations({"freezer": Station(station_id="freezer", valid_max_c=-10.0)})
    quality = QualityControl(QualitySettings(), HOUR, stations)
    both = pd.concat([series([-5.0], "freezer"), series([-5.0], "roof")], ignore_index=True)
    assert flags_of(both, quality) == [FAIL, GOOD]


@pytest.mark.parametrize(("height", "flag"), [(5.0, GOOD), (7.0, SUSPECT), (13.0, FAIL), (-13.0, FAIL), (30.0, FAIL)])
def test_a_spike_is_found_and_its_neighbours_are_left_alone(height, flag):
    values = np.full(9, 10.0) + 0.1 * np.arange(9)
    values[4] += height
    assert flags_of(series(values)) == [GOOD] * 4 + [flag] + [GOOD] * 4


@pytest.mark.parametrize(("step", "spikes"), [("30min", 1), ("3h", 1), ("6h", 0), ("12h", 0), ("1D", 0)])
def test_noon_is_no_spike_of_midnight(step, spikes):
    """Of readings that come a few times a day, the day itself would be a row of spikes."""
    values = weather(40) / 10
    values[20] += 9
    quality = QualityControl(QualitySettings(), pd.Timedelta(step))
    assert int(quality.assess(series(values, step=pd.Timedelta(step))).found["spike"].sum()) == spikes


def test_what_stands_beside_a_gap_is_no_spike():
    assert set(flags_of(series([10, 11, *[np.nan] * 5, 25, *[np.nan] * 5, 10, 11]))) == {GOOD}


def test_stations_are_no_neighbours_of_one_another_in_time():
    assert set(flags_of(pd.concat([series([10, 11], "a"), series([40, 41], "b")], ignore_index=True))) == {GOOD}


def test_a_change_that_is_too_fast_is_suspect():
    assert flags_of(series([10, 11, 27, 28, 29])) == [GOOD, GOOD, SUSPECT, GOOD, GOOD]


def test_noise_within_the_hour_is_no_fast_change():
    values = 10 + np.tile([0.0, 2.0, 1.0], 30)  # 120 °C an hour, by the letter
    assert set(flags_of(series(values, step=pd.Timedelta("1min")))) == {GOOD}


@pytest.mark.parametrize(("hours", "flag"), [(18, GOOD), (19, SUSPECT), (36, SUSPECT), (37, FAIL), (73, FAIL)])
def test_a_flat_line_is_flagged_from_its_beginning(hours, flag):
    values = weather(200)
    values[60 : 60 + hours] = 9.5
    flags = flags_of(series(values))
    assert set(flags[60 : 60 + hours]) == {flag}
    assert set(flags[:60] + flags[60 + hours :]) == {GOOD}


def test_a_missing_hour_does_not_hide_a_flat_line():
    values = np.full(30, 4.0)
    values[[5, 17]] = np.nan
    assert set(flags_of(series(values))) == {SUSPECT}


def test_a_gap_ends_a_flat_line():
    assert set(flags_of(series([*[4.0] * 12, *[np.nan] * 6, *[4.0] * 12]))) == {GOOD}


def test_a_flat_line_is_told_in_time_not_in_readings():
    assert set(flags_of(series(np.full(60, 4.0), step=pd.Timedelta("10min")))) == {GOOD}
    assert set(flags_of(series(np.full(120, 4.0), step=pd.Timedelta("10min")))) == {SUSPECT}


def test_a_station_may_be_allowed_to_hold_still():
    stations = Stations({"vault": Station(station_id="vault", flat_hours=0)})
    quality = QualityControl(QualitySettings(), HOUR, stations)
    both = pd.concat([series(np.full(80, 4.0), "room"), series(np.full(80, 4.0), "vault")], ignore_index=True)
    assert flags_of(both, quality) == [FAIL] * 80 + [GOOD] * 80


@pytest.fixture(scope="module")
def year():
    """A year of three stations, and what is usual there."""
    table = fleet(24 * 365)
    return table, learn(long(table), HOUR)


def judged(table, usual, start):
    """Flags by station."""
    quality = QualityControl(QualitySettings(), HOUR, usual=usual)
    readings = long(table, start)
    return {name: np.array(flags_of(readings, quality))[readings["station_id"] == name] for name in table}


AFTERWARDS = START + 24 * 365 * HOUR


def test_a_level_shift_of_a_station_is_suspect_and_its_neighbours_are_not(year):
    table = fleet(24 * 28, seed=7)
    table["b"][24 * 14 :] += 15.0
    flags = judged(table, year[1], AFTERWARDS)
    assert set(flags["b"][24 * 14 :]) == {SUSPECT}
    assert {*flags["b"][: 24 * 14], *flags["a"], *flags["c"]} == {GOOD}


def test_a_heat_wave_everywhere_is_weather(year):
    table = {name: values + 8 * (np.arange(24 * 28) > 24 * 14) for name, values in fleet(24 * 28, seed=7).items()}
    flags = judged(table, year[1], AFTERWARDS)
    assert set(np.concatenate(list(flags.values()))) == {GOOD}


def test_of_two_stations_none_can_outvote_the_other(year):
    table = fleet(24 * 28, ("a", "b"), seed=7)
    table["b"][24 * 14 :] += 15.0
    quality = {name: Usual(u.diurnal, 0, u.coefficients[:5], 4.0, u.neighbours) for name, u in year[1].items()}
    flags = judged(table, quality, AFTERWARDS)
    assert set(flags["a"]) == {GOOD}
    assert set(np.delete(flags["b"], 24 * 14)) == {GOOD}  # the jump itself is too fast


def test_a_lone_station_is_held_against_its_own_climatology():
    room = {"room": 4 + 0.3 * np.random.default_rng(0).normal(size=24 * 365)}
    usual = learn(long(room), HOUR)
    late = {"room": 4 + 0.3 * np.random.default_rng(1).normal(size=96)}
    late["room"][48:] += 5.0
    flags = judged(late, usual, AFTERWARDS)["room"]
    assert (set(flags[:48]), set(flags[48:])) == ({GOOD}, {SUSPECT})


def test_a_month_of_history_is_needed():
    assert learn(long(fleet(24 * 29)), HOUR) == {}
    assert set(learn(long(fleet(24 * 31)), HOUR)) == {"a", "b", "c"}


def test_loggers_that_never_share_half_a_day_are_no_neighbours():
    table, hour = fleet(24 * 90, ("a", "b", "c", "d")), np.arange(24 * 90) % 24
    table["a"][hour >= 14] = np.nan
    table["b"][hour < 9] = np.nan  # they share five hours of every day
    usual = learn(long(table), HOUR)
    assert {name: sorted(near.station_id for near in each.neighbours) for name, each in usual.items()} == {
        "a": ["c", "d"], "b": ["c", "d"], "c": ["a", "b", "d"], "d": ["a", "b", "c"]
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 23), st.integers(1, 24)), min_size=2, max_size=5))
@settings(max_examples=25)
def test_what_is_usual_can_be_learnt_of_loggers_with_any_hours(shifts):
    table, hour = fleet(24 * 60, tuple("abcde")[: len(shifts)]), np.arange(24 * 60) % 24
    for values, (begins, lasts) in zip(table.values(), shifts, strict=True):
        values[(hour - begins) % 24 >= lasts] = np.nan
    readings = long(table)
    quality = QualityControl(QualitySettings(), HOUR, usual=learn(readings, HOUR))
    assert len(flags_of(readings, quality)) == len(readings)


def test_what_is_usual_is_not_learnt_from_a_fortnight_of_poison(year):
    table = {name: values.copy() for name, values in year[0].items()}
    table["b"][24 * 100 : 24 * 114] += 15.0
    usual = learn(long(table), HOUR)
    assert usual["b"].spread_c == pytest.approx(year[1]["b"].spread_c, rel=0.25)
    middle = START + 24 * 182 * HOUR
    assert usual["b"].values(pd.DatetimeIndex([middle])) == pytest.approx(
        year[1]["b"].values(pd.DatetimeIndex([middle])), abs=1.0
    )


def test_what_was_learnt_survives_its_file(year, tmp_path):
    from lstm_model.readings.usual import UsualFile

    file = tmp_path / "data" / "usual.json"
    kept = UsualFile(START, year[1], "digest", {"b": START})
    kept.write(file)
    assert UsualFile.read(file) == kept
    file.write_text("{")
    assert UsualFile.read(file).usual == {}


STATIONS = ("a", "b", "c")
USUAL = {
    name: Usual(
        0, 1, (10.0, 0.0, 0.0), 2.0, tuple(Neighbour(other, 1.0, 0.5, 0.4) for other in STATIONS if other != name)
    )
    for name in STATIONS
}


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    holes=st.floats(0, 0.6),
    still=st.integers(0, 60),
    cut=st.tuples(st.integers(0, 150), st.integers(1, 150)),
    step=st.sampled_from(["1h", "30min"]),
)
def test_a_window_with_its_reach_is_judged_as_the_whole_is(seed, holes, still, cut, step):
    chance = np.random.default_rng(seed)
    table = {}
    for name in STATIONS:
        values = 10 + chance.normal(0, 1, 300).cumsum() * 0.5
        values[chance.random(300) < 0.02] += 20
        values[100 : 100 + still] = values[100]
        values[200:] += chance.choice([0, 15])
        values[chance.random(300) < holes] = np.nan
        table[name] = values
    readings = pd.concat(
        [series(table[name], name, step=pd.Timedelta("40min")) for name in STATIONS], ignore_index=True
    )
    quality = QualityControl(QualitySettings(), pd.Timedelta(step), usual=USUAL)
    whole = pd.Series(quality.assess(readings).flags, readings.index)
    first = START + cut[0] * pd.Timedelta("40min")
    last = first + cut[1] * pd.Timedelta("40min")
    near = readings[readings["observed_at"].between(first - quality.reach, last + quality.reach)]
    part = pd.Series(quality.assess(near.reset_index(drop=True)).flags, near.index)
    inside = near.index[near["observed_at"].between(first, last)]
    assert part[inside].tolist() == whole[inside].tolist()


def test_other_limits_have_another_name():
    plain = QualityControl(QualitySettings(), HOUR)
    others = [
        QualityControl(QualitySettings(spike_c=5), HOUR),
        QualityControl(QualitySettings(), pd.Timedelta("30min")),
        QualityControl(QualitySettings(), HOUR, Stations({"a": Station(station_id="a", spike_c=5)})),
        QualityControl(QualitySettings(), HOUR, usual=USUAL),
    ]
    assert len({plain.digest, *(other.digest for other in others)}) == 5
    assert plain.digest == QualityControl(QualitySettings(future_minutes=5), HOUR).digest


WILD = st.lists(st.sampled_from([np.nan, 10.0, 10.0, 10.004, 11.0, 18.5, 26.0, -30.0]), min_size=3, max_size=80)


@settings(max_examples=60)
@given(WILD)
def test_arrays_say_what_ioos_qc_says(values):
    readings = series(values)
    if readings.empty:
        return
    padded = np.array([np.nan, *values, np.nan])  # ioos_qc does not judge what stands at an end
    spike = qartod.spike_test(padded, suspect_threshold=6.0, fail_threshold=12.0, method="differential")
    clock = np.arange(len(padded)).astype("datetime64[h]")
    flat = QualityControl(QualitySettings(flat_hours=6), HOUR)
    found = flat.assess(readings).found
    here = ~np.isnan(padded)
    # What lies beside one or two missing hours is a neighbour here, but not there.
    whole = here & np.roll(here, 1) & np.roll(here, -1)
    assert found["spike"][whole[here]].tolist() == (spike[whole] >= SUSPECT).tolist()
    steady = np.where(np.isin(spike, (SUSPECT, FAIL)) & whole, np.nan, padded)
    rate = qartod.rate_of_change_test(steady, clock, threshold=15 / 3600)
    whole &= np.roll(whole, 1) & ~np.isnan(steady) & ~np.isnan(np.roll(steady, 1))
    assert found["rate of change"][whole[here]].tolist() == (rate[whole] == SUSPECT).tolist()


@settings(max_examples=100)
@given(st.lists(st.sampled_from([np.nan, 10.0, 10.0, 10.0, 10.004, 10.008, 11.0]), min_size=3, max_size=120))
def test_a_line_is_flat_where_ioos_qc_says_so(values):
    readings = series(values)
    if readings.empty:
        return
    steps, padded = 6, np.trim_zeros(np.nan_to_num(np.array(values, np.float64)), "f")  # from the first reading on
    padded[padded == 0] = np.nan
    known = np.flatnonzero(~np.isnan(padded))
    gaps = known[1:][np.diff(known) > 3]
    padded[gaps - 1] = 1e6  # never still across a gap
    verdict = qartod.flat_line_test(padded, np.arange(len(padded)).astype("datetime64[s]"), steps, 2 * steps, 0.01)
    expected = np.zeros(len(padded), bool)
    for flag, still in ((SUSPECT, steps), (FAIL, 2 * steps)):
        for end in np.flatnonzero((verdict >= flag) & (verdict <= FAIL)):
            expected[max(end - still, 0) : end + 1] = True
    found = QualityControl(QualitySettings(flat_hours=6), HOUR).assess(readings).found["flat line"]
    assert found.tolist() == expected[known].tolist()


@pytest.mark.parametrize("length", [3, 200])
def test_running_medians_are_those_of_pandas(length):
    values = np.round(np.random.default_rng(0).normal(size=(3, length)), 1)
    values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
    expected = pd.DataFrame(values.T).rolling(24, min_periods=12).median().to_numpy().T
    np.testing.assert_array_equal(smooth(values, HOUR), expected)


def test_what_cannot_last_is_told_without_its_medians():
    chance = np.random.default_rng(0)
    for _ in range(200):
        values = np.where(chance.random((2, 60)) < 0.3, 9.0, 1.0)
        values[chance.random(values.shape) < 0.3] = np.nan
        lasts = (np.nan_to_num(np.abs(smooth(values, HOUR))) > 5.0).any()
        assert may_last(values, HOUR, np.array([5.0, 5.0])) or not lasts


def test_a_climatology_is_the_least_squares_fit_of_what_was_seen():
    times = pd.date_range(START, periods=400 * 24, freq=HOUR)
    chance = np.random.default_rng(0)
    values = np.float32(harmonic_design(times, 2, 1).sum(axis=1) + chance.uniform(-2, 2, len(times)))
    values[chance.random(len(times)) < 0.2] = np.nan
    (fitted,) = learn(series(values), HOUR).values()
    seen = ~np.isnan(values)
    expected = np.linalg.lstsq(harmonic_design(times[seen], 2, 1), values[seen].astype(float), rcond=None)[0]
    np.testing.assert_allclose(fitted.coefficients, expected, atol=1e-9)


def test_a_night_logger_has_the_smallest_coefficients_that_fit():
    times = pd.date_range(START, periods=300 * 24, freq=HOUR)
    values = np.full(len(times), np.nan, np.float32)
    values[3::24] = 10 + np.random.default_rng(0).uniform(-2, 2, 300)
    (fitted,) = learn(pd.concat([series(values), series(values)]).drop_duplicates(), pd.Timedelta("1h")).values()
    seen = ~np.isnan(values)
    expected = np.linalg.lstsq(harmonic_design(times[seen], 2, 0), values[seen].astype(float), rcond=None)[0]
    np.testing.assert_allclose(fitted.coefficients, expected, atol=1e-6)
