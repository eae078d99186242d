"""The plug pulled while readings are taken in: the next run finishes the job, nothing twice, nothing lost."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_model.readings import Quarantine, ReadingsStore, ingest
from lstm_model.readings.usual import UsualFile
from lstm_model.workspace import Workspace

CLOCK = pd.Timestamp("2024-06-01T00:00Z")
ANY_FLAG = (1, 2, 3, 4)

# Ingests a workspace and kills itself at a given share of the calls that one whole run makes. Calls of functions of
# this project and of Delta's are the instants at which something was done or is about to be.
DRIVER = """
import os, signal, sys
import pandas as pd
from pathlib import Path
from lstm_model.readings import ingest, ingestion
from lstm_model.workspace import Workspace
ingestion._ROWS_AT_ONCE = 1  # a load a file, so that it dies between loads as well
fatal, calls = int(sys.argv[2]), 0
def watch(frame, event, argument):
    global calls
    if event in ("call", "return") and ("lstm_model/readings" in frame.f_code.co_filename
                                        or "deltalake/table" in frame.f_code.co_filename):
        calls += 1
        if calls == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
clock = pd.Timestamp("2024-06-01T00:00Z")
workspace = Workspace.find(Path(sys.argv[1]), {})
sys.setprofile(watch)
ingest(workspace, clock, clock)
sys.setprofile(None)
print(calls)
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with 40 days taken in, and news: late rows, corrections, bad rows, a week that asks for learning."""
    home = tmp_path_factory.mktemp("before")
    (home / "nightcast.toml").write_text('[source.roof]\npath = "inbox"\n')
    (home / "inbox").mkdir()
    chance = np.random.default_rng(0)
    times = pd.date_range("2024-03-01T00:00Z", periods=24 * 50, freq="1h")
    common = 10 + chance.normal(0, 0.5, len(times)).cumsum() * 0.3
    rows = pd.concat(
        pd.DataFrame({"station": name, "time": times, "temperature": common + chance.normal(0, 0.3, len(times))})
        for name in ("a", "b", "c")
    )
    early = rows["time"] < times[24 * 40]
    rows[early].to_csv(home / "inbox" / "1.csv", index=False)
    ingest(Workspace.find(home, {}), CLOCK, CLOCK)
    late = rows[~early].assign(temperature=lambda frame: frame["temperature"].where(frame["station"] != "c", 99.0))
    corrected = rows[early].iloc[::400].assign(temperature=25.0)
    pd.concat([late, corrected]).to_csv(home / "inbox" / "2.csv", index=False)
    (home / "inbox" / "3.csv").write_text("station,time,temperature\na,soon,1\nb,2024-03-01T00:00Z,warm\n")
    return home


def state(home: Path) -> tuple[pd.DataFrame, pd.DataFrame, UsualFile]:
    workspace = Workspace.find(home, {})
    readings = ReadingsStore(workspace.readings).read(CLOCK, flags=ANY_FLAG, columns=["flag", "source"])
    rejected = Quarantine(workspace.quarantine).rows().drop(columns="ingested_at")
    return readings, rejected, UsualFile.read(workspace.usual)


def run(home: Path, fatal: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(home), str(fatal)], capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def clean(
    before: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, tuple[pd.DataFrame, pd.DataFrame, UsualFile]]:
    """How many calls one whole run makes, and the state it ends in."""
    home = tmp_path_factory.mktemp("clean") / "home"
    shutil.copytree(before, home)
    calls = int(run(home).stdout)
    return calls, state(home)


@pytest.mark.parametrize("share", [0.01, 0.35, 0.6, 0.75, 0.85, 0.93, 0.98, 0.999])
def test_killed_anywhere_the_next_run_finishes_the_job(before, clean, tmp_path, share):
    calls, (readings, rejected, usual) = clean
    shutil.copytree(before, tmp_path / "home")
    killed = run(tmp_path / "home", max(1, int(share * calls)))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    workspace = Workspace.find(tmp_path / "home", {})
    ingest(workspace, CLOCK, CLOCK)
    again, rejected_again, usual_again = state(tmp_path / "home")
    pd.testing.assert_frame_equal(again, readings)
    pd.testing.assert_frame_equal(rejected_again, rejected)
    assert usual_again == usual
    assert ingest(workspace, CLOCK, CLOCK).rows_in == 0


def test_two_at_once_both_land(before, clean, tmp_path):
    readings = clean[1][0]
    home = tmp_path / "home"
    shutil.copytree(before, home)
    text = "station,time,temperature\n" + "".join(f"d,2024-03-{day:02}T00:00Z,{day}\n" for day in range(1, 29))
    (home / "4.csv").write_text(text)
    driver = "import sys, pandas as pd\nfrom pathlib import Path\nfrom lstm_model.readings import ingest_file\n"
    driver += "from lstm_model.workspace import Workspace\nhome = Path(sys.argv[1])\n"
    driver += "ingest_file(Workspace.find(home, {}), home / '4.csv', pd.Timestamp('2024-06-01T00:00Z'))\n"
    commands = [[sys.executable, "-c", DRIVER, str(home), "0"], [sys.executable, "-c", driver, str(home)]]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [process.wait(120) for process in processes] == [0, 0]
    kept = state(home)[0]
    pd.testing.assert_frame_equal(kept[kept["station_id"] != "d"].reset_index(drop=True), readings)
    assert kept.loc[kept["station_id"] == "d", "temperature_c"].tolist() == list(range(1, 29))
