"""The command line: every command explains itself, and what needs no night answers without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from flows.commands import app
from lstm_model.settings import Settings

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
