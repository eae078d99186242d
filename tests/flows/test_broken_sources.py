"""An ingest between nights that fails is told once, until it has worked; a night's own tells nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from support import NOW

from flows.broken import failure_told
from flows.events import NAMES, NIGHTLY, Event
from flows.ingest import ingest_flow
from lstm_model.workspace import Workspace

TWO = '[source.attic]\npath = "attic.csv"\n[source.cellar]\npath = "cellar.csv"\n'
GOOD = "station,time,temperature\nroof,2024-03-20T00:00Z,5.0\n"


class Home:
    """A workspace of two files, each of which may be there or not, and what its ingests told."""

    def __init__(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace, self.told = workspace, list[Event]()
        monkeypatch.setenv("NIGHTCAST_HOME", str(workspace.home))
        monkeypatch.setattr("flows.broken.announce", lambda _, *events: self.told.extend(events))
        monkeypatch.setattr("flows.ingest.leave_page", lambda *_: None)

    def ingest(self, *there: str, **parameters: str) -> list[list[str]]:
        """Live the flow's body where these files are there: the sources that people are told of."""
        for name in ("attic", "cellar"):
            file = self.workspace.home / f"{name}.csv"
            file.write_text(GOOD) if name in there else file.unlink(missing_ok=True)
        self.told.clear()
        try:
            inspect.unwrap(ingest_flow.fn)(**parameters)
        except Exception as error:
            assert set(there) != {"attic", "cellar"}, error
        return [event.payload["sources"] for event in self.told]


@pytest.fixture
def home(make_workspace: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(make_workspace(TWO), monkeypatch)


def test_a_source_is_told_of_once_until_it_was_read_again(home: Home) -> None:
    assert home.ingest("attic", "cellar") == []
    assert home.ingest("cellar") == [["attic"]]
    assert home.ingest("cellar") == []
    assert home.ingest("attic", "cellar") == []
    assert home.ingest("cellar") == [["attic"]]


def test_a_source_that_fails_beside_another_is_news(home: Home) -> None:
    assert home.ingest("cellar") == [["attic"]]
    assert home.ingest() == [["cellar"]]
    assert home.ingest("attic") == []
    assert home.ingest() == [["attic"]]


def test_what_is_told_says_what_failed_and_what_happens_now(home: Home) -> None:
    home.ingest("cellar", as_of="2024-03-20T05:05Z")
    (event,) = home.told
    assert event.name == NAMES["ingest"] == "nightcast.ingest.failed"
    assert event.sentence.startswith("The ingest of 2024-03-20 05:05 UTC failed: source 'attic': no file at ")
    assert "What other sources brought is kept. Every ingest tries again; none tells you of it again" in event.sentence
    assert event.payload["as_of"] == "2024-03-20T05:05:00+00:00" and "attic.csv" in event.payload["why"]


def test_what_breaks_in_a_night_is_told_by_the_next_ingest_even_if_the_night_was_killed(home: Home) -> None:
    assert home.ingest("cellar", who=NIGHTLY) == []
    assert home.ingest("cellar") == [["attic"]]
    assert home.ingest("cellar", who=NIGHTLY) == home.ingest("cellar") == []
    assert home.ingest(who=NIGHTLY) == []
    assert home.ingest() == [["cellar"]]


def test_what_a_night_read_again_is_told_when_it_breaks_again(home: Home) -> None:
    assert home.ingest("cellar") == [["attic"]]
    assert home.ingest("attic", "cellar", who=NIGHTLY) == []
    assert home.ingest("cellar") == [["attic"]]
    assert home.ingest("attic", who=NIGHTLY) == []
    assert home.ingest("cellar") == [["attic"]]


def test_a_night_that_reads_nothing_forgets_nothing(home: Home) -> None:
    assert home.ingest("cellar") == [["attic"]]
    stations = home.workspace.home / "data" / "stations.csv"
    stations.parent.mkdir(exist_ok=True)
    stations.write_text("station_id,limit_above_c\nroof,warm\n")
    assert home.ingest("cellar", who=NIGHTLY) == []
    assert home.ingest("cellar") == [[]]
    stations.unlink()
    assert home.ingest("cellar") == []


def test_one_source_alone_says_nothing_of_the_others(home: Home) -> None:
    assert home.ingest("cellar") == [["attic"]]
    assert home.ingest("cellar", source="cellar") == []
    assert home.ingest("cellar") == []
    assert home.ingest("attic", source="attic") == []
    assert home.ingest("cellar", source="attic") == [["attic"]]


def test_a_mistyped_name_is_nobody_s_news(home: Home) -> None:
    assert home.ingest("attic", source="celar") == []
    assert not (home.workspace.state / "broken-sources.json").exists()


def test_an_ingest_that_fails_whatever_its_sources_hold_is_told_once(home: Home) -> None:
    stations = home.workspace.home / "data" / "stations.csv"
    stations.parent.mkdir(exist_ok=True)
    stations.write_text("station_id,limit_above_c\nroof,warm\n")
    assert home.ingest("attic") == [[]]
    assert home.ingest("attic") == []
    stations.unlink()
    assert home.ingest("attic") == [["cellar"]]
    stations.write_text("station_id,limit_above_c\nroof,warm\n")
    assert home.ingest("attic") == [[]]
    stations.unlink()
    assert home.ingest("attic") == []  # of that one nothing new is known


@pytest.mark.parametrize("note", ["{torn", "[1, null]", "7"])
def test_a_damaged_note_tells_once_more_and_fails_nothing(home: Home, note: str) -> None:
    home.ingest("cellar")
    (home.workspace.state / "broken-sources.json").write_text(note)
    assert home.ingest("cellar") == [["attic"]]
    assert home.ingest("cellar") == []


def test_a_note_that_cannot_be_written_keeps_the_reason(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    (home.workspace.state / "broken-sources.json").mkdir(parents=True)
    with pytest.raises(ZeroDivisionError), failure_told(home.workspace, None, NOW, by_night=False):
        raise ZeroDivisionError
    assert len(home.told) == 1
    assert "cannot be noted" in caplog.text


def test_every_ingest_brings_what_waits_even_where_it_fails(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    brought: list[Workspace] = []
    monkeypatch.setattr("flows.ingest.bring_what_waits", brought.append)
    home.ingest("attic", "cellar")
    home.ingest()
    assert len(brought) == 2
