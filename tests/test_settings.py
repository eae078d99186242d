"""Settings: what is accepted, what is refused, and what an empty file means."""

import pandas as pd
import pytest
from pydantic import ValidationError

from lstm_model.settings import MEDIAN, QUANTILES, ModelSettings, Settings, SourceSettings


@pytest.mark.parametrize(("text", "hours"), [("1h", 1.0), ("30min", 0.5), ("1D", 24.0)])
def test_frequency_is_a_fixed_step(text, hours):
    assert ModelSettings(frequency=text).step == pd.Timedelta(hours=hours)


@pytest.mark.parametrize("text", ["h", "banana", "-1h", "0h"])
def test_impossible_frequency_is_refused_in_words(text):
    with pytest.raises(ValidationError, match=rf"'{text}' is no fixed step; write for example '1h'"):
        ModelSettings(frequency=text)


@pytest.mark.parametrize("text", ["", "nan", "NaT", "45"])
def test_frequency_without_a_length_is_refused(text):
    with pytest.raises(ValidationError, match="frequency"):
        ModelSettings(frequency=text)


def test_horizon_time_is_the_longest_lead():
    assert ModelSettings(horizon=6, frequency="30min").horizon_time == pd.Timedelta(hours=3)


def test_settings_cannot_be_changed_once_read():
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.model.horizon = 3
    assert settings == Settings()


def test_without_a_source_the_sample_plays():
    settings = Settings()
    assert settings.plays_sample
    assert [source.type for source in settings.sources.values()] == ["sample"]


def test_with_a_source_of_ones_own_the_sample_is_silent():
    settings = Settings(source={"cellar": SourceSettings(path="inbox/*.csv")})
    assert not settings.plays_sample
    assert list(settings.sources) == ["cellar"]


def test_quantiles_are_symmetric_around_the_median():
    assert QUANTILES[MEDIAN] == 0.5
    assert [round(1 - level, 2) for level in reversed(QUANTILES)] == list(QUANTILES)


@pytest.mark.parametrize("text", ["5h", "36h", "2D"])
def test_steps_that_do_not_fit_into_a_day_are_refused(text):
    with pytest.raises(ValidationError, match="a day is no whole number of steps"):
        ModelSettings(frequency=text)


def test_a_window_too_short_for_the_horizon_is_refused():
    with pytest.raises(ValidationError, match="holds 0 forecast origins"):
        Settings(model=ModelSettings(horizon=400))


def test_judged_origins_lie_on_the_grid():
    settings = Settings(model=ModelSettings(frequency="4h", horizon=12))
    assert settings.origin_spacing == pd.Timedelta("8h")


@pytest.mark.parametrize(
    ("frequency", "horizon", "context", "min_days", "window_days"),
    [
        ("1min", 1000, 5000, 30, 14),
        ("10min", 288, 1008, 30, 14),
        ("30min", 96, 336, 30, 14),
        ("1h", 48, 168, 30, 14),
        ("12h", 7, 28, 120, 19),
        ("1D", 7, 28, 240, 37),
    ],
)
def test_what_is_not_told_suits_the_cadence(frequency, horizon, context, min_days, window_days):
    settings = Settings.model_validate({"model": {"frequency": frequency}})
    assert (settings.model.horizon, settings.model.context) == (horizon, context)
    assert (settings.model.min_days, settings.gate.window_days) == (min_days, window_days)


def test_what_is_told_stands_whatever_the_cadence():
    told = {"model": {"frequency": "1D", "horizon": 2, "context": 60, "min_days": 90}, "gate": {"window_days": 60}}
    settings = Settings.model_validate(told)
    assert settings.model.model_dump(include=set(told["model"])) == told["model"]
    assert settings.gate.window_days == 60


def test_the_window_widens_however_the_spacing_of_its_origins_is_said():
    told = {"model": {"frequency": "1D"}, "gate": {"origin_hours": 24}}
    assert Settings.model_validate(told).gate.window_days == 37


def test_a_station_is_late_after_a_day_or_two_steps():
    assert Settings().notify.late_hours == 24
    daily = {"model": {"frequency": "1D"}}
    assert Settings.model_validate(daily).notify.late_hours == 48
    assert Settings.model_validate(daily | {"notify": {"late_hours": 30}}).notify.late_hours == 30


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"webhook": "hooks.example.org"}, "is no web address"),
        ({"smtp": "mail.example.org", "to": ["a@b.example"]}, "smtp is no mail server"),
        ({"smtp": "smtp://mail.example.org"}, "mail needs both"),
        ({"to": ["a@b.example"]}, "mail needs both"),
        ({"on": ["broken"]}, "'raised', 'limit', 'approval', 'promoted' or 'cleared'"),
    ],
)
def test_messages_that_could_go_nowhere_are_refused(told, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Settings.model_validate({"notify": told})
