"""The plug pulled at every write of a promotion and of a rollback, and two of them at once."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from support import NOW, forget_artifacts

from lstm_model.errors import NightcastError
from lstm_model.forecasts import issue_forecast
from lstm_model.registry import (
    MODEL,
    Doubt,
    PromotionLog,
    demote_champion,
    open_tracking,
    promote_challenger,
    promotion,
    roll_back,
    train_candidate,
)
from lstm_model.workspace import Workspace

LATER = NOW + pd.Timedelta("7D")
AT = LATER + pd.Timedelta("3min")
WRITES = [
    name
    for name in dir(MlflowClient)
    if name.startswith(("set_", "delete_", "update_", "log_", "create_", "transition"))
]
# A clean process that has the libraries loaded and nothing opened yet, to fork from.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    ["lstm_model.registry", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"]
)


def promote(workspace: Workspace) -> None:
    promote_challenger(workspace, LATER, at=AT, who="nightly")


def put_back(workspace: Workspace) -> None:
    roll_back(workspace, LATER, at=AT, who="somebody@home")


def take_down(workspace: Workspace) -> None:
    demote_champion(workspace, LATER, at=AT, who="nightly", doubt=Doubt("2", "it verified badly"))


def killed_before_write(fatal: int, home: Path, act: Callable[[Workspace], None]) -> None:
    """In a child: act, and die before the given write."""
    count, inside = itertools.count(1), False

    def deadly(write: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(write)
        def first_count(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:  # a write that another one is made of
                return write(*args, **kwargs)
            if next(count) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            inside = write is not append
            try:
                return write(*args, **kwargs)
            finally:
                inside = False

        return first_count

    for name in WRITES:
        setattr(MlflowClient, name, deadly(getattr(MlflowClient, name)))
    append = PromotionLog.append
    PromotionLog.append = deadly(append)
    os.fsync = deadly(os.fsync)
    act(Workspace.find(home, {}))


def state(home: Path) -> dict[str, Any]:
    """Aliases, log and every version's tags."""
    workspace = Workspace.find(home, {})
    client = open_tracking(workspace)
    registered = client.get_registered_model(MODEL)
    return {
        "aliases": {alias: str(version) for alias, version in registered.aliases.items()},
        "tags": registered.tags,
        "log": [entry.as_dict() for entry in PromotionLog(workspace).entries()],
        "versions": {
            str(version.version): (version.tags, version.description)
            for version in client.search_model_versions(f"name = '{MODEL}'")
        },
    }


def assert_a_champion_forecasts(home: Path) -> None:
    assert issue_forecast(Workspace.find(home, {}), LATER, LATER).methods == {"champion": 3}


@pytest.mark.parametrize(
    ("act", "start"),
    [
        (promote, "challenged_home"),
        (put_back, "promoted_home"),
        pytest.param(take_down, "decayed_home", marks=pytest.mark.services),
    ],
)
def test_killed_before_any_write_a_champion_serves_and_the_next_one_ends_as_a_clean_run(
    act: Callable[[Workspace], None], start: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    before: Path = request.getfixturevalue(start)
    shutil.copytree(before, tmp_path / "clean")
    forget_artifacts()
    act(Workspace.find(tmp_path / "clean", {}))
    clean = state(tmp_path / "clean")
    for fatal in itertools.count(1):
        home = tmp_path / str(fatal)
        shutil.copytree(before, home)
        forget_artifacts()
        child = processes.Process(target=killed_before_write, args=(fatal, home, act))
        child.start()
        child.join(120)
        assert child.exitcode in (0, -signal.SIGKILL)
        assert_a_champion_forecasts(home)
        act(Workspace.find(home, {})) if child.exitcode else None
        assert state(home) == clean, f"killed before write {fatal}"
        if child.exitcode == 0:
            break
    assert fatal > len(("the log", "champion", "previous", "challenger", "in place"))


def test_a_night_finishes_first_what_the_log_says(challenged: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCut(Exception):
        pass

    def cut(*_: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr("lstm_model.registry.succession.carry_out", cut)
        with pytest.raises(PowerCut):
            promote(challenged)
    assert state(challenged.home)["aliases"] == {"champion": "1", "challenger": "2"}
    train_candidate(challenged, LATER)
    after = state(challenged.home)
    assert after["aliases"] == {"champion": "2", "previous": "1", "challenger": "3"}
    assert after["versions"]["2"][0]["decision"] == "promoted"


def test_aliases_that_somebody_moved_by_hand_afterwards_are_left_alone(promoted: Workspace) -> None:
    client = open_tracking(promoted)
    client.set_registered_model_alias(MODEL, "champion", "1")
    promote(promoted)
    assert state(promoted.home)["aliases"]["champion"] == "1"


def test_a_torn_line_is_no_decision(challenged: Workspace, tmp_path: Path) -> None:
    promote(challenged)
    clean, file = state(challenged.home), challenged.mlruns / "promotions.jsonl"
    line = file.read_bytes().splitlines()[-1]
    other = tmp_path / "other"
    shutil.copytree(challenged.home, other)
    open_tracking(Workspace.find(other, {})).set_registered_model_alias(MODEL, "champion", "1")
    file = other / "mlruns" / "promotions.jsonl"
    file.write_bytes(file.read_bytes().removesuffix(line + b"\n") + line[:-20])
    promote(Workspace.find(other, {}))
    assert state(other)["aliases"]["champion"] == "1"
    assert state(other)["log"] == clean["log"][:-1]


def promoting(home: Path, both: Any, refused: Any, told: Any) -> None:
    """In a child: promote at the same time as another one; the winner goes on once the other was refused."""
    hold_trial = promotion.hold_trial

    def slowly(*args: Any) -> Any:
        assert refused.wait(60)
        return hold_trial(*args)

    promotion.hold_trial = slowly
    both.wait(60)
    try:
        told.put(promote_challenger(Workspace.find(home, {}), LATER, at=AT).decision.rule)
    except NightcastError as error:
        refused.set()
        told.put(str(error))


def test_of_two_at_once_one_wins_and_the_other_says_so(challenged: Workspace) -> None:
    both, refused, told = processes.Barrier(2), processes.Event(), processes.Queue()
    children = [processes.Process(target=promoting, args=(challenged.home, both, refused, told)) for _ in range(2)]
    for child in children:
        child.start()
    answers = sorted(told.get(timeout=120) for _ in children)
    for child in children:
        child.join(60)
    assert answers[0].startswith("another promotion is under way in this workspace; ")
    assert answers[1] in ("refresh", "significantly_better")
    after = state(challenged.home)
    assert after["aliases"] == {"champion": "2", "previous": "1"}
    assert [entry["to"] for entry in after["log"]] == ["1", "2"]
