"""What a part's death means, and what of its log is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments import parts
from deployments.parts import Deaths, Part, Pulse, Repetitions, Undertaker, reason_in, rotating_log, worth_telling
from flows.processes import command_of, processes


def test_a_part_rests_longer_each_time_and_stays_down_after_five_deaths_in_ten_minutes() -> None:
    deaths = Deaths()
    assert [deaths.one_more(at) for at in (0.0, 10.0, 20.0, 30.0, 40.0)] == [1.0, 2.0, 4.0, 8.0, None]


def test_old_deaths_are_forgotten() -> None:
    deaths = Deaths()
    assert [deaths.one_more(at) for at in (0.0, 10.0, 20.0, 30.0)] == [1.0, 2.0, 4.0, 8.0]
    assert deaths.one_more(615.0) == 4.0
    assert deaths.one_more(5000.0) == 1.0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "02:15:01.234 | INFO    | Flow run 'nightly 2026-11-26' - Finished in state Completed()",
            "Flow run 'nightly 2026-11-26' - Finished in state Completed()",
        ),
        (
            "02:15:01.234 | INFO    | Flow run 'x' - Beginning flow run 'x' for flow 'train'",
            "Flow run 'x' - Beginning flow run 'x' for flow 'train'",
        ),
        ("02:15:01.234 | WARNING | prefect.runner - slow", "WARNING prefect.runner - slow"),
        ("2026/11/25 17:23:21 ERROR:     [Errno 98] in use", "ERROR:     [Errno 98] in use"),
        (
            "nightly: the dashboard says x, nightcast.toml decides: y",
            "nightly: the dashboard says x, nightcast.toml decides: y",
        ),
        ("sqlite3.OperationalError: database is locked", "sqlite3.OperationalError: database is locked"),
        ("ERROR:    Traceback (most recent call last):", None),
        ("02:15:01.234 | INFO    | Task run 'a' - Finished in state Completed()", None),
        ("INFO:     127.0.0.1:59666 - GET /health HTTP/1.1 200 OK", None),
        ("", None),
    ],
)
def test_trouble_and_flow_runs_are_told_and_nothing_else(line: str, told: str | None) -> None:
    assert worth_telling(line) == told


def test_trouble_that_goes_on_is_told_once_a_minute_and_flow_runs_ever() -> None:
    repetitions, (no_database, other) = Repetitions(), ("ERROR x - [   2ms] refused", "ERROR y - refused")
    told = [repetitions.is_one(news, now) for news, now in ((no_database, 0.0), (other, 1.0))]
    told += [repetitions.is_one(no_database.replace("2", "17"), 59.0), repetitions.is_one(no_database, 61.0)]
    assert told == [False, False, True, False]
    finished = "Flow run 'verify 2024-03-20' - Finished in state Completed()"
    assert not any(repetitions.is_one(finished, now) for now in (62.0, 63.0))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["  raise", "a.b.SomeError: no database", "Stopped!", ""], "its reason: a.b.SomeError: no database"),
        (["Stopped!", ""], "its last words: Stopped!"),
        ([], "it said nothing"),
    ],
)
def test_the_reason_of_a_death_is_what_was_raised_last(lines: list[str], reason: str) -> None:
    assert reason_in(lines) == reason


def test_logs_stay_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_LOG_BYTES", 1000)
    logger = rotating_log(tmp_path / "chatter.log")
    for number in range(1000):
        logger.info("line %d", number)
    logger.handlers[0].close()
    kept = sorted(tmp_path.iterdir())
    assert [file.name for file in kept] == ["chatter.log", "chatter.log.1", "chatter.log.2"]
    assert all(file.stat().st_size <= 1000 for file in kept)
    assert kept[0].read_text().splitlines()[-1] == "line 999"


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Part]:
    """A process that never ends by itself, deaf to polite words, with a child of the same kind."""
    program = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); "
        "print('ERROR: so far so good', flush=True); time.sleep(600)"
    )
    undertaker = Undertaker()
    made = Part("a part", [sys.executable, "-c", program], tmp_path / "part.log", lambda line: None, undertaker)
    monkeypatch.setattr(parts, "_STOP_SECONDS", 0.5)
    made.start()
    until(lambda: len(members(made.pid)) == 2)
    yield made
    made.stop()
    undertaker.dismiss()
    made._logger.handlers[0].close()


def members(group: int) -> list[int]:
    return [process.pid for process in processes() if process.group == group]


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_part_is_stopped_with_its_children(part: Part) -> None:
    part.stop()
    assert members(part.pid) == []
    assert part.end == "was killed by signal 9"


def test_the_undertaker_ends_what_is_left_when_its_master_is_gone(part: Part) -> None:
    part._undertaker.dismiss()  # all that it sees of a death: the pipe closes
    until(lambda: command_of(part.pid) == "" and members(part.pid) == [])


def test_a_pulse_counts_questions_unanswered_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool | Exception] = [False, False, OSError("too many open files"), False, True, False]

    def answers(address: str, *, seconds: float) -> bool:
        answer = told.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(parts, "answers", answers)
    pulse, counted = Pulse("http://127.0.0.1:4200/api"), []
    while told:
        pulse.ask()
        counted.append(pulse.unanswered)
    assert counted == [1, 2, 2, 3, 0, 1]
    pulse.restart()
    assert pulse.unanswered == 0
