"""`rollback`, `promote --dry-run` and `models --log` at the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from receivers import webhook
from support import NOW
from typer.testing import CliRunner

from flows.commands import app
from lstm_model.errors import NightcastError
from lstm_model.registry import open_tracking
from lstm_model.workspace import Workspace


@pytest.fixture
def home(equal: Workspace, monkeypatch: pytest.MonkeyPatch, wide_screen: None) -> Path:
    monkeypatch.setenv("NIGHTCAST_HOME", str(equal.home))
    monkeypatch.setattr("flows.clock.wall_clock", lambda: NOW)
    return equal.home


def told(*words: str, code: int = 0) -> str:
    answer = CliRunner().invoke(app, [*words])
    assert answer.exit_code == code, answer.output
    return answer.output


def test_a_rollback_is_told_and_logged(home: Path) -> None:
    words = told("rollback", "--to", "2", "--why", "[a] trial")
    assert words == "version 2 is champion now; version 1 stands by as previous. The next forecast uses it.\n"
    entry = json.loads(told("rollback", "--json"))
    assert (entry["action"], entry["from"], entry["to"], entry["rule"]) == ("rollback", "2", "1", "by_hand")
    assert "@" in entry["who"]
    rows = json.loads(told("models", "--log", "--json"))
    assert [row["to"] for row in rows] == ["1", "2", "1"]
    assert rows[0] == entry
    text = told("models", "--log")
    for part in ("2024-03-20 00:00Z", "rollback", "1 ─► 2", "– ─► 1", "[a] trial", "no_champion"):
        assert part in text


def test_a_rollback_is_told_to_whoever_wants_to_hear_of_it(home: Path) -> None:
    with webhook() as hook:
        with (home / "nightcast.toml").open("a") as file:
            file.write(f'\n[notify]\nwebhook = "{hook.url}"\n')
        told("rollback", "--to", "2", "--why", "a trial")
    (message,) = hook.got
    assert message["event"] == "nightcast.champion.demoted"
    assert (message["payload"]["version"], message["payload"]["to"]) == ("1", "2")
    assert message["text"].startswith("Version 1 is champion no more: ") and "(a trial)" in message["text"]


def test_a_dry_run_shows_decision_and_evidence_changes_nothing_and_exits_as_promote(home: Path) -> None:
    open_tracking(Workspace.find(home, {}))
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    text = told("promote", "--dry-run", code=3)
    assert "version 2 would not be promoted: CRPS" in text
    assert "Nothing was changed; champion is version 1." in text
    assert "damped anomaly" in text
    for part in ("100% of their truth is known", "worse than champion", "worse than ridge", "trained or put back"):
        assert part in text
    data = json.loads(told("promote", "--dry-run", "--json", code=3), parse_constant=pytest.fail)
    assert (data["promoted"], data["rule"], data["champion"], data["dry_run"]) == (False, "equal", "1", True)
    assert data["evidence"]["origins"] > 24
    assert data["evidence"]["confidence_worse"]["champion"] == pytest.approx(0.5, abs=0.5)
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_every_version_tells_its_age(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.clock.wall_clock", lambda: NOW + pd.Timedelta("9D"))
    heading, newest, _ = told("models").splitlines()[:3]
    assert heading.split()[:4] == ["version", "aliases", "night", "age"]
    assert "2024-03-20  9 d " in newest


def test_an_empty_workspace_is_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    assert json.loads(told("models", "--log", "--json")) == []
    assert "never changed" in told("models", "--log")
    words = " ".join(told("promote", "--dry-run", code=3).split())
    assert words.startswith("there is no challenger to judge; `nightcast train` makes one. Nothing was changed; ")
    refused = CliRunner().invoke(app, ["rollback"]).exception
    assert isinstance(refused, NightcastError)
    assert str(refused) == "no version is registered yet; `nightcast run` lives the first night"
    assert list(tmp_path.iterdir()) == []
