"""Nights on one's own CSV files: too little history, a broken source, wrong settings."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from receivers import webhook
from support import Person, fleet_readings


@pytest.fixture
def person(tmp_path: Path) -> Person:
    for name in ("home", "workspace"):
        (tmp_path / name).mkdir()
    return Person(tmp_path / "home", tmp_path / "workspace")


def test_ten_days_of_readings_are_told_what_happens(person: Person) -> None:
    end = pd.Timestamp.now("UTC").floor("1h")
    rows = fleet_readings(days=10, stations=2, end=end)[["station_id", "observed_at", "temperature_c"]]
    (person.workspace / "inbox").mkdir()
    rows.to_csv(person.workspace / "inbox" / "attic.csv", index=False)
    (person.workspace / "nightcast.toml").write_text('[source.attic]\npath = "inbox/*.csv"\n')
    answer = person.types("run")
    assert answer.returncode == 0, answer.stderr
    said = " ".join(answer.stdout.split())
    assert "480 rows in = 480 new" in said
    assert "10 days of readings are too few to train on: 46 are needed" in said
    assert f"training begins on {(rows['observed_at'].min() + pd.Timedelta('46D')).ceil('1D'):%Y-%m-%d}" in said
    assert "2 stations, 2 by damped anomaly" in said


def test_a_broken_source_fails_the_night_the_forecast_goes_out_and_trouble_is_told(person: Person) -> None:
    """To a webhook; nobody takes the mails, which changes nothing of the night and keeps nothing from the webhook."""
    end = pd.Timestamp.now("UTC").floor("1h") - pd.Timedelta(hours=30)
    rows = fleet_readings(days=3, stations=1, end=end)[["station_id", "observed_at", "temperature_c"]]
    rows.to_csv(person.workspace / "hand.csv", index=False)
    toml = '[source.attic]\npath = "gone.csv"\n[notify]\nwebhook = "{url}"\n'
    toml += 'smtp = "smtp://127.0.0.1:1"\nto = ["ada@attic.example"]\n'
    with webhook() as hook:
        (person.workspace / "nightcast.toml").write_text(toml.format(url=hook.url))
        assert person.types("ingest", "hand.csv").returncode == 0
        limits = person.workspace / "data" / "stations.csv"
        limits.write_text("station_id,limit_above_c\nroof 0,-40\n")
        night = person.types("run")
    assert night.returncode == 1
    assert night.stderr.startswith("nightcast: ingest failed: source 'attic': no file at")
    assert night.stderr.count("nightcast: ") == 1 and "Traceback" not in night.stderr + night.stdout
    assert night.stdout.count("nobody was told of") == night.stdout.count(": mail: ") == 3
    assert len(pd.read_csv(person.workspace / "predictions" / "latest.csv")) == 48
    late, limit, failed = hook.got
    assert (late["event"], failed["event"]) == ("nightcast.readings.late", "nightcast.night.failed")
    assert limit["event"] == "nightcast.limit.expected" and "roof 0 above -40 °C with >99% for" in limit["text"]
    assert "roof 0  │ above -40" in night.stdout
    assert late["payload"]["newest"] == end.isoformat() and late["payload"]["stations"] == 1
    assert "ingest failed: source 'attic': no file at" in failed["text"]
    assert "The forecast went out all the same: 1 station, 1 by climatology." in failed["text"]


@pytest.mark.parametrize(
    ("toml", "words", "complaint"),
    [
        ("[model]\nhorizont = 3\n", ["run"], "unknown setting 'model.horizont'. Did you mean 'horizon'?"),
        ("", ["run", "--as-of", "2013-12-20"], "'2013-12-20' names no zone"),
        ("", ["ingest", "nowhere.csv"], "no file and no source is called 'nowhere.csv'"),
    ],
)
def test_wrong_input_is_one_line_and_exits_with_2(person: Person, toml: str, words: list[str], complaint: str) -> None:
    (person.workspace / "nightcast.toml").write_text(toml)
    answer = person.types(*words)
    assert answer.returncode == 2
    assert complaint in answer.stderr
    assert len([line for line in answer.stderr.splitlines() if line.startswith("nightcast: ")]) == 1
    assert "Traceback" not in answer.stderr + answer.stdout
