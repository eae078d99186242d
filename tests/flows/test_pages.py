"""Pages that runs leave on the dashboard."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from flows.intake import ingest_page
from flows.markdown import table
from flows.night import Night
from flows.pages import (
    forecast_page,
    gate_page,
    least_certain,
    night_page,
    rollback_page,
    training_page,
    verification_page,
)
from flows.words import epochs_in_words, night_in_words
from lstm_model.errors import SettingsError
from lstm_model.evaluation.gate import Decision
from lstm_model.forecasts import Issue, Verification
from lstm_model.network.training import Epoch
from lstm_model.readings import FlagCounts, IngestReport, UpsertCounts
from lstm_model.readings.ingestion import SourceReport
from lstm_model.registry import Candidate, Entry, Promotion
from lstm_model.settings import QUANTILES, ServerSettings
from lstm_model.workspace import Workspace

MIDNIGHT = pd.Timestamp("2024-03-01T00:00Z")
SERVER = ServerSettings(mlflow_port=5999)


def picture_in(page: str) -> Image.Image:
    """The page's one picture, as the browser would see it."""
    (data,) = re.findall(r"!\[[^\]]+\]\(data:image/png;base64,([^)]+)\)", page)
    return Image.open(io.BytesIO(base64.b64decode(data)))


def rows_below(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table after a heading, without its own headings."""
    found = next(block for block in page.split(heading)[1].split("\n\n") if block.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found.splitlines()[2:]]


def issue_of(stations: int, leads: int = 48) -> Issue:
    """The station with the highest number is the least certain."""
    parts = []
    for number in range(stations):
        valid_at = MIDNIGHT + pd.to_timedelta(np.arange(1, leads + 1), "h")
        rows = pd.DataFrame({"station_id": f"s{number:02d}", "issued_at": MIDNIGHT, "valid_at": valid_at})
        rows["lead_hours"] = np.arange(1, leads + 1, dtype="float32")
        for level in QUANTILES:
            rows[f"q{round(level * 100):02d}"] = 10 + (level - 0.5) * (1 + number)
        parts.append(rows.assign(temperature_c=10.0, method="champion", model_version="7"))
    return Issue(pd.concat(parts, ignore_index=True), {"champion": stations}, ("previous is gone",))


def readings_of(stations: int) -> pd.DataFrame:
    times = pd.date_range(end=MIDNIGHT, periods=72, freq="h")
    parts = [
        pd.DataFrame({"station_id": f"s{number:02d}", "observed_at": times, "temperature_c": 10.0})
        for number in range(stations)
    ]
    return pd.concat(parts, ignore_index=True)


def scores_of(errors: dict[str, float], leads: int = 48) -> pd.DataFrame:
    """One issue; persistence is off by twice as much."""
    rows = issue_of(len(errors), leads).forecast[["station_id", "issued_at", "valid_at", "lead_hours", "method"]]
    rows["station_id"] = rows["station_id"].map(dict(zip(sorted(set(rows["station_id"])), errors, strict=True)))
    error = rows["station_id"].map(errors)
    return rows.assign(
        issue_date="2024-03-01", model_version="7", error_c=error, crps=error.abs(), covered_80=True, width_80_c=4.0,
        persistence_error_c=2 * error, climatology_error_c=3 * error, damped_anomaly_error_c=error,
    )  # fmt: skip


def test_what_a_station_is_called_neither_ends_a_cell_nor_becomes_markup() -> None:
    text = table(("station", "n"), [("roof|<b>_x_", "1")])
    assert text.splitlines() == ["| station | n |", "| --- | ---: |", r"| roof\|\<b\>\_x\_ | 1 |"]


def test_numbers_stand_to_the_right_and_sentences_behind_them_do_not() -> None:
    told = table(("rule", "seen", "limit", "in words"), [], numbers_to=3)
    assert told.splitlines()[1] == "| --- | ---: | ---: | --- |"
    assert table(("station", "suspect"), []).splitlines()[1] == "| --- | ---: |"


def test_an_ingest_shows_the_balance_of_every_source_and_what_is_doubtful() -> None:
    flags = FlagCounts({"roof": (3, 0), "cellar": (0, 2)}, {"spike": 2, "flat_line": 3})
    report = IngestReport([
        SourceReport("one", 10, UpsertCounts(5, 2, 1), 2, {"no time": 2}, flags=flags),
        SourceReport("two", 4, UpsertCounts(4, 0, 0), 0),
    ])  # fmt: skip
    page = ingest_page(report)
    balances = rows_below(page, "unchanged + quarantined")
    assert balances == [["one", "10", "5", "2", "1", "2"], ["two", "4", "4", "0", "0", "0"]]
    assert all(int(row[1]) == sum(map(int, row[2:])) for row in balances)
    assert rows_below(page, "by station") == [["cellar", "0", "2"], ["roof", "3", "0"]]  # what fails comes first
    assert rows_below(page, "by check") == [[r"flat\_line", "3"], ["spike", "2"]]
    assert rows_below(page, "In quarantine") == [["no time", "2"]]


def test_an_ingest_without_doubts_does_not_speak_of_them() -> None:
    page = ingest_page(IngestReport([SourceReport("one", 1, UpsertCounts(1), 0)]))
    assert "oubtful" not in page
    assert "uarantine" not in page.replace("quarantined", "")


def test_a_training_shows_links_its_curve_and_what_was_set_for_this_run(tmp_path) -> None:
    workspace = Workspace.find(tmp_path, {"NIGHTCAST_MODEL__THREADS": "2"}).with_model(max_epochs=5, seed=None)
    scores = pd.DataFrame(
        {"mae": [1.2, 2.0], "rmse": [1.5, 2.5], "crps": [0.9, 1.5], "skill": [0.4, 0.0], "coverage_80": [0.8, 0.7]},
        index=["challenger", "persistence"],
    )
    epochs = [Epoch(0, float("nan"), 0.2), Epoch(1, 0.21, 0.19)]
    page = training_page(Candidate("7", "abc", 5.4, epochs, scores, MIDNIGHT, MIDNIGHT), workspace)
    assert "[version 7](http://127.0.0.1:5000/#/models/nightcast/versions/7)" in page
    assert "(http://127.0.0.1:5000/#/runs/abc)" in page
    assert picture_in(page).width > 600
    assert rows_below(page, "gate's window")[0] == ["challenger", "1.20", "1.50", "0.90", "+40.0%", "80%"]
    assert all(f"{score} " in page.split("+0.0%")[1] for score in ("MAE", "RMSE", "CRPS", "Skill")), "explained below"
    assert rows_below(page, "Settings that differ") == [
        [r"max\_epochs", "5", "40", "this run"], ["threads", "2", "1", r"NIGHTCAST\_MODEL\_\_THREADS"],
    ]  # fmt: skip


def test_what_follows_the_frequency_was_set_by_nobody(tmp_path) -> None:
    workspace = Workspace.find(tmp_path, {"NIGHTCAST_MODEL__FREQUENCY": "1D"})
    scores = pd.DataFrame(columns=["mae", "rmse", "crps", "skill", "coverage_80"])
    page = training_page(Candidate("7", "abc", 5.4, [], scores, MIDNIGHT, MIDNIGHT), workspace)
    assert rows_below(page, "Settings that differ") == [["frequency", "1D", "1h", r"NIGHTCAST\_MODEL\_\_FREQUENCY"]]


def test_a_decision_links_to_challenger_and_champion() -> None:
    page = gate_page(Promotion(Decision(False, "equal", "it is equal"), "8", "7", "7", None), SERVER)
    assert "version 8 not promoted: it is equal. Now champion is version 7." in page
    assert "challenger: [version 8](http://127.0.0.1:5999/#/models/nightcast/versions/8)" in page
    assert "champion: [version 7](http://127.0.0.1:5999/#/models/nightcast/versions/7)" in page


def test_a_forecast_draws_the_least_certain_stations_and_lists_the_others() -> None:
    issue = issue_of(11)
    assert least_certain(issue.forecast)[:2] == ["s10", "s09"]
    page = forecast_page(issue, readings_of(11), SERVER)
    assert "Issued by [version 7](http://127.0.0.1:5999/#/models/nightcast/versions/7)." in page
    assert "- previous is gone" in page
    assert "These are the 8 least certain stations; 3 more are in the table." in page
    assert [row[0] for row in rows_below(page, "24 hours")] == [f"s{number:02d}" for number in range(11)]
    three = forecast_page(issue_of(3), readings_of(3), SERVER)
    assert picture_in(page).height > 1.5 * picture_in(three).height
    assert "least certain" not in three


def test_a_verification_shows_the_worst_first_and_skill_by_lead() -> None:
    scores = scores_of({"mild": -0.5, "wild": 2.0})
    scores.loc[scores.index[-1], "error_c"] = -7.0
    page = verification_page(Verification(scores, len(scores), 3), scores, 30)
    worst, best = rows_below(page, "largest errors first")
    assert worst == ["wild", "48", "2.10", "+1.81", "-7.0 for 2024-03-03 00:00", "100%"]
    assert best[0] == "mild"
    spans = rows_below(page, "By lead time")
    assert [row[0] for row in spans] == [f"{hours} h" for hours in range(6, 49, 6)]
    assert spans[0] == ["6 h", "12", "1.25", "1.25", "+50%", "100%"]
    assert "Limits" not in page


def test_a_verification_of_limits_shows_whether_they_were_passed_as_often_as_forecast() -> None:
    scores = scores_of({"cold room": -0.5}).assign(observed_c=np.where(np.arange(48) < 36, 9.0, 7.0), limit_above_c=8.0)
    scores = scores.assign(p_above=np.float32(0.75), limit_below_c=np.nan, p_below=np.nan)
    page = verification_page(Verification(scores, len(scores), 3), scores, 30)
    assert rows_below(page, "## Limits") == [["70% … 80%", "75.0%", "75.0%", "48", "1"]]


def test_lines_keep_the_colours_that_tell_them_apart_in_a_small_picture() -> None:
    scores = scores_of({"mild": -0.5, "wild": 2.0})
    chance = np.random.default_rng(0)
    for offset, column in enumerate(
        ("error_c", "damped_anomaly_error_c", "climatology_error_c", "persistence_error_c")
    ):
        scores[column] = offset / 2 + chance.uniform(0, 2, len(scores))
    page = verification_page(Verification(scores, len(scores), 3), scores, 30)
    seen = np.unique(np.array(picture_in(page).convert("RGB")).reshape(-1, 3), axis=0).astype(int)
    for colour in ((0x1F, 0x4E, 0x79), (0x2F, 0x9E, 0x6E), (0x6B, 0x72, 0x80)):
        assert np.abs(seen - colour).max(axis=1).min() <= 2, f"no line is drawn in {colour}"
    assert len(page) < 40_000  # all of it lies in Prefect's database


def test_a_night_says_what_failed_and_links_to_what_it_made() -> None:
    night = Night(MIDNIGHT, plays_sample=False, failed={"ingest": "the disk is full"})
    night.forecast = issue_of(2)
    page = night_page(night, SERVER)
    assert "- **ingest**: FAILED: the disk is full" in page
    assert [row[0] for row in rows_below(page, "24 hours")] == ["s00", "s01"]
    assert night_in_words(night) == "forecast: 2 stations, 2 by champion"


def test_epochs_are_told_with_the_best_so_far_and_the_network_of_an_ensemble() -> None:
    first, second = Epoch(1, 0.3, 0.25), Epoch(2, 0.2, 0.26)
    assert epochs_in_words(second, first, 40, 1, 1) == (
        "epoch 2 of at most 40; best validation loss so far 0.2500, epoch 1"
    )
    assert epochs_in_words(second, first, 40, 2, 3).startswith("network 2 of 3, epoch 2")
    alone = Epoch(1, 0.3, float("nan"))
    assert epochs_in_words(alone, alone, 40, 1, 1) == "epoch 1 of at most 40, without validation"


def test_an_impossible_setting_of_one_run_is_a_sentence(tmp_path) -> None:
    workspace = Workspace.find(tmp_path, {})
    with pytest.raises(SettingsError, match=r"^max_epochs = -3: Input should be greater than or equal to 0; leave"):
        workspace.with_model(max_epochs=-3)
    assert workspace.with_model(max_epochs=None, seed=3).settings.model == workspace.settings.model.model_copy(
        update={"seed": 3}
    )


def test_of_a_daily_fleet_the_whole_horizon_is_told_with_its_days() -> None:
    issue = issue_of(1, leads=7)
    daily = issue.forecast.assign(valid_at=MIDNIGHT + pd.to_timedelta(np.arange(1, 8), "D"))
    daily = daily.assign(lead_hours=np.arange(1, 8, dtype="float32") * 24, temperature_c=np.arange(7.0) - 0.04)
    page = forecast_page(Issue(daily, issue.methods, ()), readings_of(1), SERVER)
    ((_, low, high, _),) = rows_below(page, "The next 7 days")
    assert low.startswith("0.0 (") and low.endswith(") Sat")  # and not -0.0
    assert high.endswith(") Fri")


def test_a_rollback_tells_who_asked_and_why() -> None:
    entry = Entry(MIDNIGHT, MIDNIGHT, "ann@cellar", "rollback", "8", "7", "by_hand", "too warm since Monday")
    page = rollback_page(entry, SERVER)
    assert "version 7 is champion now; version 8 stands by as previous" in page
    assert "ann@cellar: too warm since Monday" in page
    assert f"{SERVER.mlflow_port}/#/models/nightcast/versions/7" in page
