"""Ready workspaces. One is made a session and copied: it can be moved, after all."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch load: two tests at a time share the cores

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from receivers import MailServer, Webhook, mail_server, webhook
from support import NOW, SMALL, Person, copied, fleet_readings, made_once, store_of, with_pressure

from lstm_model.workspace import Workspace

LONGEST = ("test_sample_nights.py", "test_own_readings.py", "test_replay_resume.py", "test_promotion_crash.py",
           "test_replay_leaks.py", "test_prune.py", "test_rollback.py", "test_promotion.py",
           "test_cadences.py")  # fmt: skip

settings.register_profile("untimed", settings(), deadline=None)  # no test fails because a machine is busy
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first: neither of the two processes waits at the end while the other has one left."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True)
def own_code() -> Iterator[None]:
    """MLflow puts a loaded model's copy of the code before ours; processes started later would find that one."""
    yield
    copies = [entry for entry in sys.path if "artifacts" in entry and (Path(entry) / "lstm_model").is_dir()]
    sys.path[:] = [entry for entry in sys.path if entry not in copies]


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """Somebody who is told by a webhook."""
    with webhook() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """Somebody who is told by mail."""
    with mail_server() as server:
        yield server


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with 80 days of three stations, with a covariate, and a first champion, trained at NOW."""
    from lstm_model.registry import promote_challenger, train_candidate

    def train(home: Path) -> None:
        (home / "nightcast.toml").write_text(SMALL)
        workspace = Workspace.find(home, {})
        store_of(workspace).upsert(with_pressure(fleet_readings()))
        train_candidate(workspace, NOW)
        assert promote_challenger(workspace, NOW).decision.promote

    return made_once(tmp_path_factory, "trained", train)


@pytest.fixture
def trained(trained_home: Path, tmp_path: Path) -> Workspace:
    """A copy of the trained workspace, free to be broken."""
    return copied(trained_home, tmp_path / "a copy elsewhere")


@pytest.fixture(scope="session")
def equal_home(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained workspace with a second version, equal to the first and not judged yet, as challenger."""
    from lstm_model.registry import train_candidate

    def train(home: Path) -> None:
        train_candidate(copied(trained_home, home), NOW)

    return made_once(tmp_path_factory, "equal", train)


@pytest.fixture
def equal(equal_home: Path, tmp_path: Path) -> Workspace:
    """A copy of the workspace with an equal challenger."""
    return copied(equal_home, tmp_path / "a copy elsewhere")


@pytest.fixture
def make_workspace(tmp_path: Path) -> Callable[[str], Workspace]:
    """A fresh workspace with the given nightcast.toml."""

    def make(toml: str = SMALL) -> Workspace:
        (tmp_path / "nightcast.toml").write_text(toml)
        return Workspace.find(tmp_path, {})

    return make


@pytest.fixture
def wide_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables find room: the width of the tests' own terminal does not matter."""
    from flows.commands import screen

    monkeypatch.setattr(screen, "_width", 200)


@pytest.fixture(scope="session")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A person at an empty workspace."""
    return Person(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables that tests recorded, whichever process they ran in."""
    for report in terminalreporter.stats.get("passed", []):
        for title, table in report.user_properties:
            terminalreporter.section(title)
            terminalreporter.write_line(table)
