"""The command line: every command explains itself, and what needs no night answers without one."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from flows.commands import app
from lstm_model.readings import ingest
from lstm_model.settings import Settings
from lstm_model.workspace import Workspace

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
DESIGN = Path(__file__).parents[2] / "docs" / "design.md"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    return CliRunner()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example_and_is_in_the_design(terminal: CliRunner, command: str) -> None:
    answer = terminal.invoke(app, [command, "--help"], env={"COLUMNS": "100"})
    assert answer.exit_code == 0
    assert f"nightcast {command}" in answer.output
    assert "Example" in answer.output
    assert f"`{command}" in DESIGN.read_text()


def test_config_prints_every_setting_with_its_origin(terminal: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "nightcast.toml").write_text("[model]\nhorizon = 24\n")
    rows = json.loads(terminal.invoke(app, ["config", "--json"], env={"NIGHTCAST_MODEL__SEED": "7"}).output)
    told = {row["setting"]: (row["value"], row["from"]) for row in rows}
    assert told["model.horizon"] == (24, "nightcast.toml")
    assert told["model.seed"] == (7, "NIGHTCAST_MODEL__SEED")
    assert told["gate.margin"] == (Settings().gate.margin, "default")
    assert all(row["meaning"] for row in rows)
    sections = set(Settings.model_fields) - {"source"}
    assert {name.split(".")[0] for name in told} == sections


def test_config_tells_no_secret(terminal: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "nightcast.toml").write_text(
        """
        [source.sky]
        type = "http"
        url = "https://me:s3cret@example.org/v1?appid=s3cret&units=metric"
        headers = { Authorization = "Bearer ${SKY_TOKEN}", X-Api-Key = "s3cret", Accept = "application/json" }
        [notify]
        webhook = "https://hooks.example.org/services/s3cret"
        smtp = "smtp://me:s3cret@mail.example.org:587"
        to = ["ada@attic.example"]
        """
    )
    answer = terminal.invoke(app, ["config", "--json"], env={"NIGHTCAST_SOURCE__SKY__PARAMS__TOKEN": "s3cret"})
    assert "s3cret" not in answer.output
    told = {row["setting"]: (row["value"], row["from"]) for row in json.loads(answer.output)}
    assert told["source.sky.url"] == ("https://me:***@example.org/v1?appid=***&units=metric", "nightcast.toml")
    assert told["source.sky.params"] == ({"token": "***"}, "NIGHTCAST_SOURCE__SKY__PARAMS__TOKEN")
    assert told["source.sky.headers"] == (
        {"Authorization": "Bearer ${SKY_TOKEN}", "X-Api-Key": "***", "Accept": "application/json"}, "nightcast.toml"
    )  # fmt: skip
    assert told["notify.webhook"] == ("https://hooks.example.org/***", "nightcast.toml")
    assert told["notify.smtp"] == ("smtp://me:***@mail.example.org:587", "nightcast.toml")
    assert "source.sky.path" not in told  # means nothing to it


def test_status_and_models_of_an_empty_workspace(terminal: CliRunner, tmp_path: Path) -> None:
    status = json.loads(terminal.invoke(app, ["status", "--json"]).output)
    assert (status["nights_lived"], status["readings"], status["champion"]) == (0, 0, None)
    assert json.loads(terminal.invoke(app, ["models", "--json"]).output) == []
    assert not (tmp_path / "mlruns").exists()  # looking makes nothing


def test_doctor_finds_this_machine_fit(terminal: CliRunner) -> None:
    answer = terminal.invoke(app, ["doctor", "--json"])
    findings = {finding["subject"]: finding for finding in json.loads(answer.output)}
    assert answer.exit_code == 0
    assert {"Python", "torch", "fastapi", "sqlalchemy", "settings", "disk"} <= set(findings)
    assert "CPU build" in findings["torch"]["found"]


def test_doctor_names_what_is_broken_and_the_remedy(terminal: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(b"not a database" * 100)
    answer = terminal.invoke(app, ["doctor", "--json"])
    broken = [finding for finding in json.loads(answer.output) if finding["verdict"] == "broken"]
    assert answer.exit_code == 1
    assert [finding["subject"] for finding in broken] == ["MLflow database"]
    assert broken[0]["remedy"]


def test_doctor_survives_a_broken_settings_file(terminal: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "nightcast.toml").write_text("[model\n")
    answer = terminal.invoke(app, ["doctor", "--json"])
    findings = {finding["subject"]: finding["verdict"] for finding in json.loads(answer.output)}
    assert answer.exit_code == 1
    assert findings["settings"] == "broken"


def test_what_looks_like_markup_is_printed_as_it_is(terminal: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "nightcast.toml").write_text('[source.attic]\npath = "inbox/[a-z]*.csv"\ntime = "[/b]"\n')
    answer = terminal.invoke(app, ["config"], env={"COLUMNS": "200"})
    assert answer.exit_code == 0
    assert "inbox/[a-z]*.csv" in answer.output


INBOX = """station;time;temp (°F);slp
attic;27.10.2024 02:00;50,0;1013,2
attic;27.10.2024 02:00;51,0;9999
attic;27.10.2024 04:00;warm;1012,0
"""
MAPPING = """[source.roof]
path = "inbox"
timezone = "Europe/Berlin"
[source.roof.covariates]
pressure_hpa = "slp"
"""


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.csv").write_text(INBOX)
    (tmp_path / "nightcast.toml").write_text(MAPPING)
    return tmp_path / "inbox" / "a.csv"


def files_in(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_check_shows_what_ingesting_would_do_and_changes_nothing(
    terminal: CliRunner, inbox: Path, tmp_path: Path
) -> None:
    before = files_in(tmp_path)
    answer = terminal.invoke(app, ["check", str(inbox)], env={"COLUMNS": "160"})
    assert answer.exit_code == 0, answer.output
    for told in (
        "CSV, columns divided by ';', UTF-8; station in 'station' (guessed), time in 'time' (guessed)",
        "unit F (guessed), times as %d.%m.%Y %H:%M (guessed), zone Europe/Berlin, decimal ',' (guessed)",
        "3 rows in = 2 new + 0 corrected + 0 unchanged + 1 quarantined",
        "1 × temperature missing or not a number, for example inbox/a.csv:4",
        "1 × pressure_hpa left out as implausible",
        "2024-10-27 00:00Z",
        "10.00",
    ):
        assert told in " ".join(answer.output.split()), told
    assert files_in(tmp_path) == before


def test_the_settings_that_check_prints_understand_the_file_in_the_same_way(
    terminal: CliRunner, inbox: Path, tmp_path: Path
) -> None:
    first = json.loads(terminal.invoke(app, ["check", str(inbox), "--json"]).output)
    (tmp_path / "nightcast.toml").write_text(first["toml"])
    second = json.loads(terminal.invoke(app, ["check", str(inbox), "--json"]).output)
    assert second["toml"] == first["toml"]
    assert second["understood_as"] == first["understood_as"].replace(" (guessed)", "")
    assert (second["new"], second["nulled"]) == (2, {"pressure_hpa": 1})


def test_check_of_a_file_read_as_a_source(terminal: CliRunner, inbox: Path, tmp_path: Path) -> None:
    elsewhere = inbox.rename(tmp_path / "a.csv")
    refused = terminal.invoke(app, ["check", str(elsewhere)])
    assert "names no zone" in str(refused.exception)
    assert terminal.invoke(app, ["check", str(elsewhere), "--as", "roof"]).exit_code == 0
    unknown = terminal.invoke(app, ["check", str(elsewhere), "--as", "rof"])
    assert str(unknown.exception) == "no source is called 'rof'; configured: roof."


def test_quarantine_lists_reasons_and_takes_in_again(terminal: CliRunner, inbox: Path, tmp_path: Path) -> None:
    assert "no row lies in quarantine" in terminal.invoke(app, ["quarantine"]).output
    clock = pd.Timestamp("2024-12-01T00:00Z")
    wrong = MAPPING.replace("timezone", 'decimal = "."\ntimezone')
    (tmp_path / "nightcast.toml").write_text(wrong)
    ingest(Workspace.find(tmp_path, {}), clock, clock)
    inbox.unlink()
    (row,) = json.loads(terminal.invoke(app, ["quarantine", "--json"]).output)
    assert (row["rows"], row["reason"]) == (3, "temperature missing or not a number")
    assert (row["source"], row["position"]) == ("roof", "inbox/a.csv:2")
    assert "50,0" in terminal.invoke(app, ["quarantine"], env={"COLUMNS": "160"}).output
    refused = terminal.invoke(app, ["quarantine", "retry", "cellar"])
    assert str(refused.exception) == "no row of a source 'cellar' lies in quarantine; waiting: roof."
    (tmp_path / "nightcast.toml").write_text(MAPPING)
    report = json.loads(terminal.invoke(app, ["quarantine", "retry", "--json"]).output)
    assert (report["rows_in"], report["new"], report["quarantined"]) == (3, 2, 1)
    (row,) = json.loads(terminal.invoke(app, ["quarantine", "--json"]).output)
    assert "warm" in row["raw"]


def test_check_of_a_source_shows_its_first_rows(terminal: CliRunner, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "house.db") as database:
        database.execute("CREATE TABLE readings (sensor, time, temp_f)")
        database.execute("INSERT INTO readings VALUES ('attic', '2024-01-01 00:00Z', 50)")
    database.close()
    query = "SELECT * FROM readings WHERE time >= :since"
    (tmp_path / "nightcast.toml").write_text(
        f'[source.house]\ntype = "sql"\nurl = "sqlite:///house.db"\nquery = "{query}"\n'
    )
    before = files_in(tmp_path)
    answer = terminal.invoke(app, ["check", "house"], env={"COLUMNS": "160"})
    assert answer.exit_code == 0, answer.output
    for told in ("SQL; station in 'sensor' (guessed)", "unit F (guessed)", "1 rows in = 1 new", "10.00"):
        assert told in " ".join(answer.output.split())
    assert files_in(tmp_path) == before
    assert "leave --as out" in str(terminal.invoke(app, ["check", "house", "--as", "house"]).exception)
    with sqlite3.connect(tmp_path / "house.db") as database:
        database.execute("DELETE FROM readings")
    database.close()
    assert str(terminal.invoke(app, ["check", "house"]).exception) == "source 'house' offers no row that may be new."


def test_check_prints_names_as_they_are(terminal: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "nightcast.toml").write_text('[source."[/x]"]\npath = "in[1]"\n')
    (tmp_path / "in[1]").mkdir()
    (tmp_path / "in[1]" / "[bold]a.csv").write_text("station,time,temp\n[red]x,2024-01-01T00:00Z,1\n")
    answer = terminal.invoke(app, ["check", str(tmp_path / "in[1]" / "[bold]a.csv")], env={"COLUMNS": "160"})
    assert answer.exit_code == 0, answer.output
    for told in ("(source [/x])", "[red]x", "in[1]/[bold]a.csv"):
        assert told in answer.output


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["check", "."], ". is a folder; name a file in it."),
        (["check", "gone.csv"], "no file and no source is called 'gone.csv'; configured: sample."),
        (
            ["ingest", "--as", "roof"],
            "--as roof says how to read a file; name the file: nightcast ingest FILE --as roof",
        ),
    ],
)
def test_wrong_words_are_answered_with_the_way_out(terminal: CliRunner, words: list[str], complaint: str) -> None:
    assert str(terminal.invoke(app, words).exception) == complaint
