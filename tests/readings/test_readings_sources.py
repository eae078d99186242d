"""Sources of other kinds plug in through an entry point."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lstm_model.errors import SettingsError
from lstm_model.readings import ReadingsStore, ingest
from lstm_model.workspace import Workspace

CLOCK = pd.Timestamp("2024-06-01T00:00Z")
PLUGIN = """
from collections import Counter
import pandas as pd
from lstm_model.readings.sources import RawRows

class Thermometer:
    def __init__(self, name, settings, context):
        self.name, self.celsius, self.memory = name, settings.options["celsius"], context.workspace.home / "confirmed"

    def read(self, since, until):
        times = pd.date_range(since or "2024-01-01T00:00Z", periods=3, freq="1h", tz="UTC")
        understood = pd.DataFrame({"station_id": "attic", "observed_at": times, "temperature_c": self.celsius})
        rows = pd.Series(["1", "2", "3"])
        yield RawRows(understood, rows.to_frame("n"), "thermometer:" + rows, pd.Series("", index=rows.index))

    def confirm(self, taken_at):
        self.memory.write_text(taken_at.isoformat())
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings a type of source, as an installer lays it out."""
    packages = tmp_path / "packages"
    info = packages / "thermo-1.0.dist-info"
    info.mkdir(parents=True)
    (packages / "thermo.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thermo\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nightcast.sources]\nthermometer = thermo:Thermometer\n")
    monkeypatch.syspath_prepend(str(packages))


def workspace(home: Path, toml: str) -> Workspace:
    (home / "nightcast.toml").write_text(toml)
    return Workspace.find(home, {})


def test_a_package_brings_a_type_of_source(installed: None, tmp_path: Path) -> None:
    here = workspace(tmp_path, '[source.attic]\ntype = "thermometer"\noptions = { celsius = 7.5 }\n')
    assert ingest(here, CLOCK, CLOCK).counts.new == 3
    assert ReadingsStore(here.readings).read(CLOCK)["temperature_c"].tolist() == [7.5] * 3
    assert (tmp_path / "confirmed").read_text() == CLOCK.isoformat()
    assert ingest(here, CLOCK, CLOCK).counts.new == 2  # it goes on from the newest reading kept


def test_a_type_that_nobody_brings_lists_the_known_ones(installed: None, tmp_path: Path) -> None:
    here = workspace(tmp_path, '[source.attic]\ntype = "thermometr"\n')
    with pytest.raises(
        SettingsError, match="there is no type 'thermometr'; known: files, http, sql, sample, thermometer"
    ):
        ingest(here, CLOCK, CLOCK)


def test_files_without_a_path_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'source\.attic: a files source needs a path, for example path = "inbox'):
        ingest(workspace(tmp_path, '[source.attic]\ntype = "files"\n'), CLOCK, CLOCK)
