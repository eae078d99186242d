"""What the documentation shows is true: settings are valid, commands exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support import fleet_readings, with_pressure

from flows.commands import app
from lstm_model.readings.quality import CHECKS
from lstm_model.readings.stations import STATIONS_FILE, Stations
from lstm_model.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """Every fenced block of a language, with the page it stands on."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(page.name, block) for page in PAGES for block in fence.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "block"), blocks("toml"))
def test_settings_shown_are_valid(page: str, block: str) -> None:
    assert Settings.model_validate(tomllib.loads(block)).sources


@pytest.mark.parametrize(("page", "block"), blocks("csv"))
def test_the_stations_file_shown_is_valid(page: str, block: str, tmp_path: Path) -> None:
    (tmp_path / STATIONS_FILE).parent.mkdir()
    (tmp_path / STATIONS_FILE).write_text(block, encoding="utf-8")
    assert Stations.read(tmp_path).known


def test_the_library_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = [block for page, block in blocks("python") if page == "README.md"]
    readings = with_pressure(fleet_readings(days=20, stations=2))
    columns = ["station_id", "observed_at", "temperature_c", "pressure_hpa"]
    readings[columns].to_csv(tmp_path / "readings.csv", index=False)
    monkeypatch.chdir(tmp_path)
    said: dict[str, Any] = {}
    exec(example, said)
    assert len(said["forecast"].dropna()) == 2 * 48
    assert said["forecaster"].covariates == ["pressure_hpa"]
    assert (tmp_path / "model" / "weights.safetensors").exists()


def test_commands_shown_exist() -> None:
    import typer

    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    shown = {
        word for page in PAGES for word in re.findall(r"(?:\$ |`)nightcast ([a-z]+)", page.read_text(encoding="utf-8"))
    }
    assert shown
    assert shown <= known


def test_every_check_is_described() -> None:
    text = (ROOT / "docs" / "readings.md").read_text(encoding="utf-8")
    assert [check for check in CHECKS if f"| {check} |" not in text] == []
