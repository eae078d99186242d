"""The replay: night after night in a workspace of its own, resumed where it was cut off."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice, pairwise, starmap
from multiprocessing import active_children, get_context
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from lstm_model.errors import NightcastError
from lstm_model.evaluation import Judgement
from lstm_model.monitoring import Finding
from lstm_model.panel import build_panel
from lstm_model.readings import ReadingsStore, ingest_from
from lstm_model.replay.arrivals import Arrivals, Arriving, SampleArrivals
from lstm_model.replay.night import Lived, Night, Standing, Trained, key_of, no_trial, seen_by, train_night
from lstm_model.replay.outcome import Outcome, score_night, weigh
from lstm_model.replay.watching import Watching, trial_of
from lstm_model.whole import write_text_whole, write_whole
from lstm_model.workspace import Workspace

_PACKAGE = Path(__file__).parents[1]
_IDENTITY, _VERSIONS = "replay.json", "versions.json"


@dataclass(frozen=True)
class Begun:
    """A night on its way: the version of the readings it sees, what taking them in cost, and its training."""

    night: pd.Timestamp
    readings_version: int | None
    ingest_seconds: float
    training: Future[Trained]


class Replay:
    """Nights of a workspace lived again, in a folder of their own inside it.

    folder/data: the readings as they had arrived, judged anew every night. folder/models: every night's challenger.
    folder/nights: for each night its record (JSON) and what every policy forecast (parquet); a night is done once
    its record is there. The workspace itself is only read.
    """

    def __init__(
        self, workspace: Workspace, nights: list[pd.Timestamp], jobs: int, arrivals: Arriving | None = None
    ) -> None:
        self._settings, self._nights, self._jobs = workspace.settings, nights, jobs
        self.folder = workspace.home / "replays" / f"{nights[0]:%Y-%m-%d}_{nights[-1]:%Y-%m-%d}"
        self._copy = Workspace(self.folder, workspace.settings, {})
        self._store = ReadingsStore(self._copy.readings)
        self._models, self._records = self.folder / "models", self.folder / "nights"
        self._arrivals = arrivals or arrivals_of(workspace)
        self._watching = Watching(self.folder, self._store, workspace.settings)
        self._stations_file = workspace.home / "data" / "stations.csv"

    def live(self, on_night: Callable[[Lived], None] | None = None) -> Outcome:
        """Live every night that is not done yet, then meet every forecast with its truth.

        Args:
            on_night: called after every night, those done earlier included.

        Raises:
            NightcastError: the folder holds a replay of other settings, code or nights, or one that is under way.
        """
        with self._alone():
            self._open()
            return self._meet_truth(self._live_all(on_night))

    def _live_all(self, on_night: Callable[[Lived], None] | None) -> list[Lived]:
        lived: list[Lived] = []
        with self._trainers() as train:
            for begun in _ahead(starmap(train, self._arrived_by_night()), 2 * self._jobs):
                done = self._record_of(begun.night) or self._live(begun, lived)
                lived.append(done)
                if on_night is not None:
                    on_night(done)
        return lived

    # ── one night ──────────────────────────────────────────────────────────────────────────────────────────

    def _live(self, begun: Begun, lived: list[Lived]) -> Lived:
        trained, night, seconds = begun.training.result(), begun.night, {"ingest": begun.ingest_seconds}
        seconds["train"] = trained.seconds
        readings = seen_by(self._store, begun.readings_version, night)
        then = Night(readings, night, self._settings, self._models)
        began = time.perf_counter()
        findings, judgement, before = self._watch(begun, then, readings, lived)
        seconds["monitor"] = time.perf_counter() - began
        began = time.perf_counter()
        verdict = then.judge(before) if trained.fault is None else no_trial(before, trained.fault)
        seconds["promote"] = time.perf_counter() - began
        began = time.perf_counter()
        write_whole(self._forecasts_file(night), then.forecasts(verdict.standing).to_parquet)
        seconds["forecast"] = time.perf_counter() - began
        done = Lived(
            night, begun.readings_version, **vars(verdict), seconds=seconds, findings=findings,
            trial=None if judgement is None else judgement.reason,
            demoted=judgement is not None and judgement.demote,
        )  # fmt: skip
        write_text_whole(self._record_file(night), json.dumps(asdict(done) | {"night": night.isoformat()}, indent=1))
        return done

    def _watch(
        self, begun: Begun, then: Night, readings: pd.DataFrame, lived: list[Lived]
    ) -> tuple[tuple[Finding, ...], Judgement | None, Standing]:
        """What monitoring finds, what comes of the champion's trial, and who stands after that."""
        standing = lived[-1].standing if lived else Standing()
        if readings.empty:
            return (), None, standing
        findings = self._watching.look(begun.night, begun.readings_version, readings, lived)
        told = tuple(one for one in findings if one.raised or one.newly_cleared)
        judgement = trial_of(then, told, lived, self._settings) if self._settings.monitor.demote else None
        if judgement is not None and judgement.demote:
            standing = standing.demoted(to_predecessor=judgement.to_predecessor)
        return told, judgement, standing

    def _record_of(self, night: pd.Timestamp) -> Lived | None:
        file = self._record_file(night)
        if not file.is_file():
            return None
        told = json.loads(file.read_text(encoding="utf-8"))
        findings = tuple(Finding(**each) for each in told["findings"])
        return Lived(**told | {"night": night, "standing": Standing(**told["standing"]), "findings": findings})

    def _record_file(self, night: pd.Timestamp) -> Path:
        return self._records / f"{key_of(night)}.json"

    def _forecasts_file(self, night: pd.Timestamp) -> Path:
        return self._records / f"{key_of(night)}.parquet"

    # ── what had arrived ───────────────────────────────────────────────────────────────────────────────────

    def _arrived_by_night(self) -> Iterator[tuple[pd.Timestamp, int | None, float]]:
        """Take in what each night brought; the version of the readings then, and the seconds it took."""
        file = self.folder / _VERSIONS
        known: dict[str, int | None] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        for before, night in pairwise([None, *self._nights]):
            began = time.perf_counter()
            if key_of(night) not in known:
                report = ingest_from(self._copy, self._arrivals.sources(before, night), night)
                self._watching.keep_usual(self._copy.usual)
                known[key_of(night)] = report.readings_version
                write_text_whole(file, json.dumps(known, indent=1))
            yield night, known[key_of(night)], time.perf_counter() - began

    def _meet_truth(self, lived: list[Lived]) -> Outcome:
        """Score every night against all that has come since."""
        settings, last = self._settings.model, self._nights[-1]
        later = last + settings.horizon_time
        ingest_from(self._copy, self._arrivals.sources(last, None), later)
        truth = build_panel(self._store.read(later), settings.step, end=later)
        sums = {night: score_night(pd.read_parquet(self._forecasts_file(night)), truth) for night in self._nights}
        return weigh(sums, lived)

    # ── the folder ─────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> None:
        """Make the folder ready, or make sure that it is this very replay that goes on."""
        for folder in (self._models, self._records):
            folder.mkdir(exist_ok=True)
            for leftover in folder.glob("*.tmp"):  # of a process that was killed
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        file = self.folder / _IDENTITY
        mine = {
            "nights": [night.isoformat() for night in self._nights],
            "settings": self._settings.model_dump(mode="json", include={"quality", "model", "gate", "monitor"}),
            "readings": self._arrivals.digest(self._nights[-1] + self._settings.model.horizon_time),
            "stations": _digest([self._stations_file] if self._stations_file.is_file() else []),
            "code": _digest(sorted(_PACKAGE.rglob("*.py"))),
        }
        if not file.is_file():
            if self._stations_file.is_file():
                (self.folder / "data").mkdir(exist_ok=True)
                shutil.copy2(self._stations_file, self.folder / "data")
            write_text_whole(file, json.dumps(mine, indent=1))
            return
        theirs = json.loads(file.read_text(encoding="utf-8"))
        if differing := [name for name, value in mine.items() if theirs.get(name) != value]:
            raise NightcastError(
                f"{self.folder}: a replay with other {' and '.join(differing)} lies here; "
                "begin anew with --fresh, which removes it"
            )

    def remove(self) -> None:
        """Forget what was lived again so far.

        Raises:
            NightcastError: it is under way.
        """
        with self._alone():
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else lives this replay meanwhile; the lock dies with its process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / "replay.lock", timeout=0):
                yield
        except Timeout:
            raise NightcastError(f"{self.folder}: this replay is under way already; wait for it to end") from None

    # ── training, several nights at once ───────────────────────────────────────────────────────────────────

    @contextmanager
    def _trainers(self) -> Iterator[Callable[[pd.Timestamp, int | None, float], Begun]]:
        """A way to have challengers trained side by side: no night's training depends on another's decision."""
        with ProcessPoolExecutor(self._jobs, get_context("spawn"), _end_with, (os.getpid(),)) as pool:

            def train(night: pd.Timestamp, version: int | None, ingest_seconds: float) -> Begun:
                if self._record_file(night).is_file() or (self._models / key_of(night)).is_dir():
                    ready: Future[Trained] = Future()
                    ready.set_result(Trained(0.0))
                    return Begun(night, version, ingest_seconds, ready)
                work = (self._copy.readings, version, night, self._settings, self._models)
                return Begun(night, version, ingest_seconds, pool.submit(train_night, *work))

            try:
                yield train
            except BrokenProcessPool:
                raise NightcastError(
                    f"a training process was killed, {self._jobs} ran at once; where memory is short use --jobs 1. "
                    "The same command goes on where this one stopped"
                ) from None
            except BaseException:  # whoever interrupts does not wait for trainings that nobody needs any more
                pool.shutdown(wait=False, cancel_futures=True)
                for trainer in active_children():
                    trainer.terminate()
                raise


def _end_with(parent: int) -> None:
    """End this process when its parent has gone, however it went; Ctrl-C is for the parent to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def arrivals_of(workspace: Workspace) -> Arriving:
    """The readings of a workspace, as they arrived.

    Raises:
        NightcastError: there are none.
    """
    return SampleArrivals() if workspace.settings.plays_sample else Arrivals.of(_kept(workspace))


def _kept(workspace: Workspace) -> ReadingsStore:
    store = ReadingsStore(workspace.readings)
    if store.version is None:
        raise NightcastError(f"{workspace.home} holds no readings yet; `nightcast ingest` takes them in")
    return store


def _ahead(nights: Iterator[Begun], most: int) -> Iterator[Begun]:
    """The same, begun before it is asked for: so many nights are in training while one is lived."""
    waiting: deque[Begun] = deque(islice(nights, most))
    while waiting:
        yield waiting.popleft()
        waiting.extend(islice(nights, 1))


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
