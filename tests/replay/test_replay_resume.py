"""Cut off and gone on: a replay ends as if it had never stopped, and never goes on with another one's nights."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from past_nights import NIGHTS, PATIENT, Past, assert_same_night, copied, lived_again, workspace_with
from support import NOW, SMALL, Person, fleet_readings, store_of
from typer.testing import CliRunner

from flows.commands import app
from lstm_model.errors import NightcastError
from lstm_model.replay import Outcome, Replay
from lstm_model.replay.night import Lived, key_of
from lstm_model.workspace import Workspace

SPAN = ["--from", "2024-03-10", "--to", "2024-03-14"]


def digests(folder: Path, but: str = "") -> dict[str, str]:
    """Every file below a folder but those under one name, with what it holds."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    told = {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return {name: digest for name, digest in told.items() if not (but and name.startswith(f"{but}/"))}


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, and when it was written as which file."""
    return {
        str(file.relative_to(folder)): (file.stat().st_mtime_ns, file.stat().st_ino)
        for file in folder.rglob("*")
        if file.is_file()
    }


def assert_same_outcome(one: Outcome, other: Outcome) -> None:
    pd.testing.assert_frame_equal(one.policies, other.policies, check_exact=True)
    assert one.waiting == other.waiting
    for left, right in zip(one.nights, other.nights, strict=True):
        assert {**vars(left), "seconds": {}} == {**vars(right), "seconds": {}}


def files_of(past: Past, night: pd.Timestamp) -> tuple[Path, Path, Path]:
    """A night's record, forecasts and model."""
    nights = past.folder / "nights"
    return nights / f"{key_of(night)}.json", nights / f"{key_of(night)}.parquet", past.folder / "models" / key_of(night)


# ── cut off between any two steps ──────────────────────────────────────────────────────────────────────────


def before_the_record(past: Past) -> None:
    """The last two nights have forecasts and models, but no record."""
    for night in NIGHTS[3:]:
        files_of(past, night)[0].unlink()


def before_the_forecasts(past: Past) -> None:
    """The last two nights have models alone, and a file that was half written."""
    for night in NIGHTS[3:]:
        record, forecasts, _ = files_of(past, night)
        record.unlink()
        forecasts.rename(forecasts.with_suffix(".4711.tmp"))
    half = next(past.folder.glob("nights/*.tmp"))
    half.write_bytes(half.read_bytes()[:1000])


def before_the_readings_were_noted(past: Past) -> None:
    """The middle night's readings were taken in, but the kill came before that was noted."""
    before_the_forecasts(past)
    file = past.folder / "versions.json"
    known = json.loads(file.read_text())
    for commit in (past.folder / "data" / "readings" / "_delta_log").glob("*.json"):
        if int(commit.stem) > known[key_of(NIGHTS[2])]:
            commit.unlink()
    file.write_text(json.dumps(dict(list(known.items())[:2])))
    (past.folder / "versions.4711.tmp").write_text('{"2024-03-1')


def in_the_middle_of_training(past: Past) -> None:
    """Beside the models lies what a killed process had begun to write."""
    before_the_forecasts(past)
    scratch = past.folder / "models" / f"{key_of(NIGHTS[4])}.4711.tmp"
    scratch.mkdir()
    (scratch / "weights.safetensors").write_bytes(b"half")


@pytest.mark.parametrize(
    "cut_off",
    [before_the_record, before_the_forecasts, before_the_readings_were_noted, in_the_middle_of_training],
    ids=lambda cut_off: cut_off.__name__,
)
def test_a_replay_that_was_cut_off_ends_as_if_it_had_not_been(
    past: Past, tmp_path: Path, cut_off: Callable[[Past], None]
) -> None:
    broken = copied(past, tmp_path / "copy")
    cut_off(broken)
    done = {name: stamp for name, stamp in stamps(broken.folder).items() if str(NIGHTS[2].date()) in name}
    again = lived_again(broken.workspace, NIGHTS)
    assert_same_outcome(past.outcome, again.outcome)
    assert {name: stamp for name, stamp in stamps(broken.folder).items() if name in done} == done
    assert len(done) >= 4  # record, forecasts, and a model's two files
    for night in NIGHTS:
        assert_same_night(past, again, night)
        assert again.version(night) == past.version(night)


def test_an_error_on_the_way_leaves_whole_nights_which_are_not_lived_again(past: Past, tmp_path: Path) -> None:
    broken = copied(past, tmp_path / "copy")
    for night in NIGHTS:
        record, forecasts, _ = files_of(broken, night)
        record.unlink()
        forecasts.unlink()

    def interrupt(night: Lived) -> None:
        if night.night == NIGHTS[1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Replay(broken.workspace, NIGHTS, 1).live(interrupt)
    nights = broken.folder / "nights"
    done = stamps(nights)
    assert sorted(done) == sorted(f"{key_of(night)}.{kind}" for night in NIGHTS[:2] for kind in ("json", "parquet"))
    told: list[pd.Timestamp] = []
    outcome = Replay(broken.workspace, NIGHTS, 1).live(lambda night: told.append(night.night))
    assert told == NIGHTS  # those done earlier are told as well
    assert {name: stamp for name, stamp in stamps(nights).items() if name in done} == done
    assert_same_outcome(past.outcome, outcome)


def test_a_replay_that_is_done_is_only_read(past: Past, tmp_path: Path) -> None:
    again = copied(past, tmp_path / "copy")
    before = digests(again.folder)
    assert_same_outcome(past.outcome, Replay(again.workspace, NIGHTS, 3).live())
    assert digests(again.folder) == before


# ── the real command, killed ───────────────────────────────────────────────────────────────────────────────


def children_of(pid: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    mine = [child for child, parent in pairs if parent == pid]
    return mine + [grandchild for child in mine for grandchild in children_of(child)]


def alive(pids: list[int]) -> list[int]:
    states = subprocess.run(["ps", "-o", "pid=,stat=", "-p", ",".join(map(str, pids))], capture_output=True, text=True)
    pairs = [line.split() for line in states.stdout.splitlines()]
    return [int(pid) for pid, state in pairs if not state.startswith("Z")]


@pytest.fixture(scope="module")
def killed(past: Past, tmp_path_factory: pytest.TempPathFactory) -> tuple[Past, list[int]]:
    """A replay begun anew by the command, killed after its first night; and its worker processes."""
    broken = copied(past, tmp_path_factory.mktemp("killed") / "workspace")
    person = Person(tmp_path_factory.mktemp("home"), broken.workspace.home)
    command = [str(Path(sys.executable).with_name("nightcast")), "replay", *SPAN, "--jobs", "1", "--fresh"]
    with subprocess.Popen(
        command, env=person.environment(), cwd=person.workspace, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        children = children_of(process.pid)
        process.send_signal(signal.SIGKILL)
    assert said.startswith("  replay  2024-03-10 promoted: there is no champion yet")
    return broken, children


def test_fresh_begins_anew(past: Past, killed: tuple[Past, list[int]]) -> None:
    broken, _ = killed
    assert stamps(broken.folder)["replay.json"] != stamps(past.folder)["replay.json"]
    assert not files_of(broken, NIGHTS[4])[0].exists()
    assert files_of(broken, NIGHTS[0])[0].is_file()


def test_no_process_outlives_a_killed_replay(killed: tuple[Past, list[int]]) -> None:
    _, children = killed
    assert children
    patience = time.monotonic() + 60
    while left := alive(children):
        assert time.monotonic() < patience, f"{left} of {children} live on"
        time.sleep(0.2)


def test_a_killed_replay_ends_as_if_it_had_not_been(past: Past, killed: tuple[Past, list[int]]) -> None:
    """Begun anew and killed under one job, gone on with under one; the shared one ran under two."""
    broken, _ = killed
    assert not all(files_of(broken, night)[2].is_dir() for night in NIGHTS)
    done = stamps(broken.folder / "nights")
    again = lived_again(broken.workspace, NIGHTS)
    assert {name: stamp for name, stamp in stamps(broken.folder / "nights").items() if name in done} == done
    assert_same_outcome(past.outcome, again.outcome)
    for night in NIGHTS:
        assert_same_night(past, again, night)


# ── another replay in the same folder ──────────────────────────────────────────────────────────────────────


def refusal(workspace: Workspace, nights: list[pd.Timestamp]) -> str:
    with pytest.raises(NightcastError) as refused:
        Replay(workspace, nights, 1).live()
    assert "\n" not in str(refused.value)
    assert "--fresh" in str(refused.value)
    return str(refused.value)


def test_other_nights_other_settings_or_other_code_are_refused_and_change_nothing(past: Past, tmp_path: Path) -> None:
    mine = copied(past, tmp_path / "copy")
    before = digests(mine.folder)
    ends = [NIGHTS[0], NIGHTS[-1]]
    assert "a replay with other nights lies here" in refusal(mine.workspace, ends)
    (mine.workspace.home / "nightcast.toml").write_text(PATIENT.replace("max_epochs = 2", "max_epochs = 3"))
    other = Workspace.find(mine.workspace.home, {})
    assert "a replay with other settings lies here" in refusal(other, NIGHTS)
    assert "a replay with other nights and settings lies here" in refusal(other, ends)
    assert digests(mine.folder) == before
    identity = mine.folder / "replay.json"
    identity.write_text(json.dumps(json.loads(identity.read_text()) | {"code": "0" * 64}))
    assert "a replay with other code lies here" in refusal(mine.workspace, NIGHTS)
    assert str(mine.folder) in refusal(mine.workspace, NIGHTS)


def test_readings_that_came_since_are_refused_where_they_would_have_been_seen(past: Past, tmp_path: Path) -> None:
    mine = copied(past, tmp_path / "copy")
    cellar = fleet_readings(days=1, stations=1, end=NIGHTS[1].floor("1h")).assign(station_id="cellar")
    store_of(mine.workspace).upsert(cellar.assign(ingested_at=(NIGHTS[-1] + pd.Timedelta("30D")).as_unit("us")))
    assert Replay(mine.workspace, NIGHTS, 1).live().policies.equals(past.outcome.policies)  # they came too late
    store_of(mine.workspace).upsert(cellar.assign(station_id="attic", ingested_at=NIGHTS[2].as_unit("us")))
    assert "a replay with other readings lies here" in refusal(mine.workspace, NIGHTS)


def test_two_at_once_are_told_apart(past: Past, tmp_path: Path) -> None:
    mine = copied(past, tmp_path / "copy")
    replay = Replay(mine.workspace, NIGHTS, 1)
    with FileLock(mine.folder / "replay.lock"):
        for attempt in (replay.live, replay.remove):
            with pytest.raises(NightcastError, match="this replay is under way already; wait for it to end"):
                attempt()
    assert mine.folder.exists()


def test_forgetting_a_replay_touches_no_other_and_nothing_of_the_workspace(past: Past, tmp_path: Path) -> None:
    mine = copied(past, tmp_path / "copy")
    other = mine.folder.with_name("2023-01-01_2023-02-01")
    other.mkdir()
    (other / "replay.json").write_text("{}")
    before = digests(mine.workspace.home, but=str(mine.folder.relative_to(mine.workspace.home)))
    replay = Replay(mine.workspace, NIGHTS, 1)
    replay.remove()
    assert not mine.folder.exists()
    assert digests(mine.workspace.home) == before
    replay.remove()  # there is nothing to forget


# ── the command ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def told(past: Past, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Types `nightcast replay` in a workspace whose replay is done, where nothing needs training."""
    home = copied(past, tmp_path / "copy").workspace.home
    monkeypatch.setenv("NIGHTCAST_HOME", str(home))
    return lambda *words: CliRunner().invoke(app, ["replay", *words], env={"COLUMNS": "160"})


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_json_for_machines(past: Past, told: Callable[..., Any]) -> None:
    answer = told(*SPAN, "--json")
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.output, parse_constant=refuse_constant)
    table = past.outcome.policies
    assert [row["policy"] for row in rows] == table["policy"].tolist()
    assert [row["policy"] for row in rows][:4] == ["gate", "always_promote", "never_retrain", "best_baseline"]
    for row, (_, expected) in zip(rows, table.iterrows(), strict=True):
        for name in ("mae", "rmse", "crps", "coverage_80", "n"):
            assert row[name] == pytest.approx(expected[name]), name
            assert isinstance(row[name], int if name == "n" else float)
    promotions = [row["promotions"] for row in rows]
    assert promotions[:3] == table["promotions"].tolist()[:3]
    assert set(promotions[3:]) == {None}


def test_text_for_people(past: Past, told: Callable[..., Any]) -> None:
    answer = told(*SPAN, "--jobs", "1")
    assert answer.exit_code == 0, answer.output
    said = " ".join(answer.output.split())
    gate = past.outcome.policies.set_index("policy").loc["gate"]
    for part in (
        f"gate {gate['mae']:.3f} {gate['rmse']:.3f} {gate['crps']:.3f} {gate['coverage_80']:.0%}",
        "180 forecasts of 5 nights, which every policy made; 0 of the gate's have no truth",
        "best baseline, in hindsight: damped anomaly",
        "every night's record, forecasts and model: replays/2024-03-10_2024-03-14",
        "replay 2024-03-10 promoted: there is no champion yet",
    ):
        assert part in said, part


def test_a_span_is_named_by_days_or_by_times(told: Callable[..., Any]) -> None:
    answer = told("--from", "2024-03-10T02:15Z", "--to", "2024-03-14T02:15Z", "--json")
    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--from", "2024-03-14", "--to", "2024-03-10"], "there is no night from 2024-03-14 00:00 to 2024-03-10 23:59"),
        (["--from", "2024-03-10T02:15", "--to", "2024-03-14"], "'2024-03-10T02:15' names no zone"),
        (["--from", "soon", "--to", "2024-03-14"], "'soon' is no time"),
        (["--from", "2024-03-10T03:00Z", "--to", "2024-03-10T04:00Z"], "there is no night from 2024-03-10 03:00"),
    ],
)
def test_wrong_words_are_answered_with_the_way_out(told: Callable[..., Any], words: list[str], complaint: str) -> None:
    assert str(told(*words).exception).startswith(complaint)


def test_a_workspace_without_readings_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nightcast.toml").write_text(SMALL)
    monkeypatch.setenv("NIGHTCAST_HOME", str(tmp_path))
    answer = CliRunner().invoke(app, ["replay", *SPAN])
    assert isinstance(answer.exception, NightcastError)
    assert str(answer.exception) == f"{tmp_path} holds no readings yet; `nightcast ingest` takes them in"
    assert [file.name for file in tmp_path.iterdir()] == ["nightcast.toml"]


# ── the workspace around it ────────────────────────────────────────────────────────────────────────────────


def test_the_workspace_is_only_read(past: Past, tmp_path: Path) -> None:
    """The shared replay changed nothing outside its folder since the readings were taken in, nor does a second."""
    mine = copied(past, tmp_path / "copy")
    outside = digests(mine.workspace.home, but="replays")
    version = store_of(mine.workspace).version
    assert {name.split("/")[0] for name in outside} == {"nightcast.toml", "data"}
    assert {name.split("/")[1] for name in outside if name.startswith("data")} == {"readings"}
    assert version == 2  # one a batch, and the empty table
    replay = Replay(mine.workspace, NIGHTS[:1], 1)
    (replay.folder / "models").mkdir(parents=True)
    files_of(mine, NIGHTS[0])[2].rename(replay.folder / "models" / key_of(NIGHTS[0]))
    replay.live()
    assert digests(mine.workspace.home, but="replays") == outside
    assert store_of(mine.workspace).version == version


def test_what_the_owner_says_of_stations_holds_in_the_replay(past: Past, tmp_path: Path) -> None:
    """A station whose every reading fails its owner's limits is not forecast."""
    mine = copied(past, tmp_path / "copy")
    (mine.workspace.home / "data" / "stations.csv").write_text("station_id,valid_min_c\nroof 2,59\n")
    replay = Replay(mine.workspace, NIGHTS[:1], 1)
    (replay.folder / "models").mkdir(parents=True)
    files_of(mine, NIGHTS[0])[2].rename(replay.folder / "models" / key_of(NIGHTS[0]))
    replay.live()
    forecasts = pd.read_parquet(replay.folder / "nights" / f"{key_of(NIGHTS[0])}.parquet")
    assert set(forecasts["station_id"]) == {"roof 0", "roof 1"}


def test_a_night_when_nobody_had_spoken_for_a_month_has_no_forecast_and_the_next_ones_do(tmp_path: Path) -> None:
    rows = fleet_readings(days=80, stations=2)
    gap = rows["observed_at"].between("2024-01-12T00:00Z", "2024-02-20T00:00Z")
    workspace = workspace_with(tmp_path, [rows[~gap]], SMALL)
    nights = list(pd.date_range("2024-02-18T02:15Z", periods=4, freq="1D"))
    replayed = lived_again(workspace, nights)
    assert [len(replayed.forecasts(night)) > 0 for night in nights] == [False, False, True, True]


# ── too little history ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Three nights, the last two with just enough history; a station has been there for a day only."""
    end = pd.Timestamp("2024-03-11T00:00Z")
    readings = fleet_readings(days=31, stations=2, end=end)
    newcomer = fleet_readings(days=31, stations=1, end=end, seed=2).assign(station_id="cellar")
    newcomer = newcomer[newcomer["observed_at"] > pd.Timestamp("2024-03-07T06:00Z")]
    readings = pd.concat([readings, newcomer])
    readings = readings[readings["observed_at"] <= pd.Timestamp("2024-03-10T10:00Z")]
    workspace = workspace_with(tmp_path_factory.mktemp("short"), [readings], SMALL)
    return lived_again(workspace, list(pd.date_range("2024-03-08T02:15Z", periods=3, freq="1D")))


def test_a_night_with_too_little_history_has_no_challenger_and_baselines_serve(short: Past) -> None:
    night = short.outcome.nights[0]
    assert (night.promoted, night.rule) == (False, "no_challenger")
    assert "28 days of readings are too few to train on" in night.reason
    assert not (short.folder / "models" / key_of(night.night)).exists()
    forecasts = short.forecasts(night.night)
    serving = forecasts[forecasts["policy"].isin(["gate", "always_promote", "never_retrain"])]
    methods = {"cellar": "persistence", "roof 0": "damped_anomaly", "roof 1": "damped_anomaly"}
    for _, rows in serving.groupby("policy"):
        assert rows.groupby("station_id")["method"].first().to_dict() == methods
    assert serving["policy"].nunique() == 3
    lone = forecasts.groupby("policy")["station_id"].unique().map(sorted)
    assert lone["persistence"] == ["cellar", "roof 0", "roof 1"]
    assert lone["climatology"] == ["roof 0", "roof 1"]
    assert "ridge" not in lone


def test_later_nights_train(short: Past) -> None:
    assert [night.standing.newest for night in short.outcome.nights] == [
        None, *(key_of(night.night) for night in short.outcome.nights[1:])
    ]  # fmt: skip
    table = short.outcome.policies.set_index("policy")
    assert table.loc[["gate", "always_promote", "never_retrain"], "promotions"].tolist() == [
        sum(night.promoted for night in short.outcome.nights), 2, 1
    ]  # fmt: skip


def test_all_are_judged_on_the_cases_that_every_policy_has(short: Past) -> None:
    """The newcomer counts from the night on which every baseline can serve it, and only while there is truth."""
    truth = store_of(short.workspace).read(NOW)
    cases = waiting = 0
    for lived in short.outcome.nights:
        rows = short.forecasts(lived.night)
        rows = rows[rows["policy"] != "ridge"]
        known = rows.merge(truth, left_on=["station_id", "valid_at"], right_on=["station_id", "observed_at"])
        served = known.groupby(["station_id", "lead_hours"])["policy"].nunique()
        cases += (served == rows["policy"].nunique()).sum()
        gate = rows[rows["policy"] == "gate"]
        waiting += len(gate) - (known["policy"] == "gate").sum()
    policies = short.outcome.policies.set_index("policy")
    assert set(policies["n"].drop("ridge")) == {cases}
    assert short.outcome.waiting == waiting > 0
