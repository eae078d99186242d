"""HTTP sources, against a real server that misbehaves: it costs time, never readings."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from inbox import quarantined
from support import store_of
from weather_server import (
    Prank,
    WeatherServer,
    busy_until_later,
    cuts_the_body,
    cuts_the_json,
    damages_the_gzip,
    drips,
    drips_headers,
    fails,
    hangs_up,
    says,
    sends_elsewhere,
    weather_server,
)

from lstm_model.errors import SettingsError, SourceError
from lstm_model.readings import IngestReport, ingest, ingest_from
from lstm_model.readings.fetch import Patience
from lstm_model.readings.http import HttpSource
from lstm_model.readings.ingestion import Ingestion
from lstm_model.workspace import Workspace

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = pd.Timestamp("2024-01-11T12:00Z")
SECRET = "s3cret-of-mine"


@pytest.fixture
def server() -> Iterator[WeatherServer]:
    with weather_server() as running:
        yield running


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(part)}' for key, part in value.items())} }}"
    return json.dumps(value)


class Pull:
    """A workspace with one http source, and how long its owner would have waited."""

    def __init__(self, home: Path, server: WeatherServer, **settings: Any) -> None:
        self.home, self.server, self.slept = home, server, []
        self.settings = {
            "url": server.url,
            "days_per_page": 4,
            "timeout_seconds": 20,
            "start": "2024-01-01",
            **settings,
        }

    @property
    def workspace(self) -> Workspace:
        lines = [f"{key} = {toml(value)}" for key, value in self.settings.items()]
        (self.home / "nightcast.toml").write_text("\n".join(['[source.sky]\ntype = "http"', *lines]) + "\n")
        return Workspace.find(self.home, {})

    def source(self, workspace: Workspace, now: pd.Timestamp) -> HttpSource:
        patience = Patience(sleep=self.slept.append, chance=lambda: 1.0)
        return HttpSource("sky", workspace.settings.source["sky"], Ingestion(workspace, now).context, patience)

    def __call__(self, now: pd.Timestamp = NOW) -> IngestReport:
        workspace = self.workspace
        return ingest_from(workspace, [self.source(workspace, now)], now)

    def offered(self) -> dict[tuple[str, datetime], float]:
        """What a first pull would bring, and keep nothing."""
        parts = [rows.understood for rows in self.source(self.workspace, NOW).read(None, NOW)]
        return {
            (row.station_id, row.observed_at.to_pydatetime()): round(float(row.temperature_c), 2)
            for row in pd.concat(parts).itertuples()
        }

    def kept(self, now: pd.Timestamp = NOW) -> dict[tuple[str, datetime], float]:
        rows = store_of(self.workspace).read(now, flags=(1, 2, 3, 4))
        return {
            (row.station_id, row.observed_at.to_pydatetime()): round(float(row.temperature_c), 2)
            for row in rows.itertuples()
        }


def hours(days: float, first: datetime = START, level: float = 5.0) -> dict[datetime, float | None]:
    return {first + timedelta(hours=hour): level + hour % 24 / 10 for hour in range(int(days * 24))}


def truth(server: WeatherServer, names: list[str], now: pd.Timestamp = NOW) -> dict[tuple[str, datetime], float]:
    return {
        (name, hour): round(value, 2)
        for name, station in zip(names, server.truth, strict=True)
        for hour, value in station.items()
        if value is not None and hour <= now
    }


def test_hours_that_are_over_become_readings_page_by_page(server: WeatherServer, tmp_path: Path) -> None:
    server.truth = [hours(16)]
    pull = Pull(tmp_path, server)
    assert pull().counts.new == 10 * 24 + 13
    assert pull.kept() == truth(server, ["sky"])
    ranges = [(asked["start_date"], asked["end_date"]) for asked in server.asked]
    assert ranges == [("2024-01-01", "2024-01-04"), ("2024-01-05", "2024-01-08"), ("2024-01-09", "2024-01-11")]
    assert {asked["hourly"] for asked in server.asked} == {"temperature_2m"}


def test_the_next_pull_goes_on_from_the_newest_reading_and_sees_corrections_before_it(
    server: WeatherServer, tmp_path: Path
) -> None:
    server.truth = [hours(10)]
    pull = Pull(tmp_path, server)
    pull()
    server.asked.clear()
    server.truth[0] |= {START + timedelta(days=9): -3.0} | hours(4, START + timedelta(days=10))
    counts = pull(NOW + pd.Timedelta("1D")).counts
    assert (counts.corrected, counts.new) == (1, 37)
    assert [(asked["start_date"], asked["end_date"]) for asked in server.asked] == [
        ("2024-01-08", "2024-01-11"), ("2024-01-12", "2024-01-12")
    ]  # fmt: skip


def test_what_was_not_known_yet_comes_later(server: WeatherServer, tmp_path: Path) -> None:
    server.truth = [hours(8) | {START + timedelta(days=8, hours=hour): None for hour in range(84)}]
    pull = Pull(tmp_path, server)
    assert pull().rows_in == 8 * 24
    server.truth = [hours(12)]
    pull()
    assert pull.kept() == truth(server, ["sky"])


def test_days_of_which_nothing_is_said_are_told(server: WeatherServer, tmp_path: Path, caplog: Any) -> None:
    server.truth = [hours(2, START + timedelta(days=9))]
    with caplog.at_level(logging.WARNING):
        Pull(tmp_path, server).offered()
    said = [record.getMessage().removeprefix(f"source 'sky': {server.url} ") for record in caplog.records]
    assert said == ["has nothing from 2024-01-01 to 2024-01-04", "has nothing from 2024-01-05 to 2024-01-08"]


PRANKS: dict[str, Prank] = {
    "500": fails(500),
    "503 and Retry-After": fails(503, Retry_After="3"),
    "429 and Retry-After": fails(429, Retry_After="7"),
    "a cut body": cuts_the_body,
    "half of the JSON": cuts_the_json,
    "a damaged gzip": damages_the_gzip,
    "no answer": hangs_up,
    "a page of a portal": says("<html>please log in</html>"),
}


@pytest.mark.parametrize("prank", PRANKS.values(), ids=PRANKS)
def test_a_stumble_costs_time_and_no_reading(server: WeatherServer, tmp_path: Path, prank: Prank) -> None:
    server.truth = [hours(11)]
    server.pranks.extend([prank, prank])
    pull = Pull(tmp_path, server)
    offered = pull.offered()
    assert len(pull.slept) == 2
    assert offered == truth(server, ["sky"])


@pytest.mark.parametrize("prank", [drips, drips_headers])
def test_a_server_that_drips_is_hung_up_on(server: WeatherServer, tmp_path: Path, prank: Prank) -> None:
    server.truth = [hours(11)]
    server.pranks.append(prank)
    pull = Pull(tmp_path, server, timeout_seconds=0.5)
    offered = pull.offered()
    assert pull.slept
    assert server.hung_up_on.wait(30)
    assert offered == truth(server, ["sky"])


def test_waits_grow_and_are_what_the_server_asks_for(server: WeatherServer, tmp_path: Path) -> None:
    server.truth = [hours(2)]
    server.pranks.extend([fails(), fails(), fails(), fails(429, Retry_After="9"), fails(503, Retry_After="86400")])
    pull = Pull(tmp_path, server)
    pull.offered()
    assert pull.slept == [1, 2, 4, 9, 120]


def test_a_date_to_come_back_at_is_read_by_the_servers_clock(server: WeatherServer, tmp_path: Path) -> None:
    server.truth = [hours(2)]
    server.pranks.append(busy_until_later(45))
    pull = Pull(tmp_path, server)
    pull.offered()
    assert pull.slept == [45]


def test_what_came_before_it_gave_up_is_kept_and_the_next_pull_goes_on(server: WeatherServer, tmp_path: Path) -> None:
    server.truth = [hours(11)]
    pull = Pull(tmp_path, server, retries=1)
    server.pranks.extend([lambda handler, body: says(body.decode())(handler, body), fails(502), fails(502)])
    with pytest.raises(SourceError, match=rf"^source 'sky': {server.url}: answered 502 \(2 tries\)"):
        pull()
    assert len(pull.kept()) == 4 * 24
    server.asked.clear()
    pull()
    assert server.asked[0]["start_date"] == "2024-01-02"
    assert pull.kept() == truth(server, ["sky"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "answers with 2 locations, named are 1 (sky). Name each"),
        ("17", "sky: the answer has no list hourly.time, hourly.temperature_2m; lists there: none."),
        ('{"hourly": {"time": [], "temp": []}}', "no list hourly.temperature_2m; lists there: time, temp."),
        (
            '{"hourly": {"time": ["2024-01-01T00:00"], "temperature_2m": []}}',
            "differ in length: time 1, temperature_2m 0",
        ),
        ('{"error": true, "reason": "Cannot do"}', "the server says 'Cannot do'"),
        ('{"hourly_units": {"temperature_2m": "mm"}, "hourly": {"time": [], "temperature_2m": []}}', "comes in 'mm'"),
    ],
)
def test_wrong_json_is_refused_in_words(server: WeatherServer, tmp_path: Path, text: str, words: str) -> None:
    server.pranks.append(says(text))
    pull = Pull(tmp_path, server)
    with pytest.raises(SourceError) as caught:
        pull.offered()
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"source 'sky': {server.url}: ")
    assert pull.slept == []


def test_a_refusal_is_told_with_the_servers_reason(server: WeatherServer, tmp_path: Path) -> None:
    server.pranks.append(fails(400, b'{"error": true, "reason": "end_date is out of allowed range."}'))
    pull = Pull(tmp_path, server)
    with pytest.raises(
        SourceError, match=r"answered 400: end_date is out of allowed range. Mend the source's settings"
    ):
        pull.offered()
    assert pull.slept == []


@pytest.mark.parametrize("status", [302, 307])
def test_nobody_else_is_asked(server: WeatherServer, tmp_path: Path, monkeypatch: Any, status: int) -> None:
    monkeypatch.setenv("SKY_TOKEN", SECRET)
    server.truth = [hours(11)]
    pull = Pull(tmp_path, server, headers={"Authorization": "Bearer ${SKY_TOKEN}"})
    with weather_server() as elsewhere:
        server.pranks.append(sends_elsewhere(f"{elsewhere.url}?key={SECRET}", status))
        with pytest.raises(SourceError) as caught:
            pull()
        assert f"redirects to http://127.0.0.1:{elsewhere.server_port}, which is not followed" in str(caught.value)
        assert SECRET not in str(caught.value)
        assert elsewhere.asked == []
    pull()
    assert pull.kept() == truth(server, ["sky"])


def test_the_same_server_may_send_us_on(server: WeatherServer, tmp_path: Path) -> None:
    server.truth = [hours(2)]
    server.pranks.append(lambda handler, body: sends_elsewhere(handler.path.replace("/v1/", "/v2/"))(handler, body))
    pull = Pull(tmp_path, server)
    offered = pull.offered()
    assert server.paths[1].startswith("/v2/archive?")
    assert offered == truth(server, ["sky"])


def test_a_circle_ends(server: WeatherServer, tmp_path: Path) -> None:
    server.pranks.extend([sends_elsewhere("/v1/archive")] * 9)
    with pytest.raises(SourceError, match="redirects in circles"):
        Pull(tmp_path, server).offered()


@pytest.mark.parametrize("seed", range(3))
def test_after_whatever_happened_the_store_equals_the_source(server: WeatherServer, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = ["attic", "roof"]
    pull = Pull(tmp_path, server, stations=names, retries=2, overlap_hours=72)
    with weather_server() as elsewhere:
        pranks = [*PRANKS.values(), sends_elsewhere(elsewhere.url), says("{}"), says("[]"), fails(404)]
        for day in range(1, 9):
            now = pd.Timestamp(START) + pd.Timedelta(days=day)
            server.truth = [
                {**(server.truth[number] if day > 1 else {}), **hours(1, START + timedelta(days=day - 1), level)}
                for number, level in enumerate((5.0, 20.0))
            ]
            corrected = START + timedelta(days=max(day - 2, 0), hours=chance.randrange(24))
            server.truth[chance.randrange(2)][corrected] = chance.randrange(100) / 10
            server.pranks.extend(chance.choices(pranks, k=chance.randrange(6)))
            with suppress(SourceError):
                pull(now)
            known = truth(server, names, now)
            assert set(pull.kept(now)) <= set(known)
        assert elsewhere.asked == []
    server.pranks.clear()
    pull(now)
    assert pull.kept(now) == truth(server, names, now)


def test_several_locations_are_called_as_their_owner_says(server: WeatherServer, tmp_path: Path) -> None:
    server.truth = [hours(2), hours(2, level=20.0)]
    pull = Pull(tmp_path, server, stations=["attic", "roof"], params={"latitude": [52.5, 48], "longitude": "1,2"})
    offered = pull.offered()
    assert offered == truth(server, ["attic", "roof"])
    assert server.asked[0]["latitude"] == "52.5,48"
    pull = Pull(tmp_path, server, stations=["attic"])
    with pytest.raises(SourceError, match=r"answers with 2 locations, named are 1 \(attic\)"):
        pull()


@pytest.mark.parametrize(("offset", "unixtime"), [(3600, False), (-10800, False), (3600, True)])
def test_local_times_are_taken_by_the_answers_offset(
    server: WeatherServer, tmp_path: Path, offset: int, unixtime: bool
) -> None:
    server.truth, server.offset_seconds, server.unixtime = [hours(12)], offset, unixtime
    pull = Pull(tmp_path, server)
    offered = pull.offered()
    missing = set(truth(server, ["sky"])) - set(offered)
    assert all(hour < START + timedelta(hours=4) for _, hour in missing)  # before the first local day
    assert offered.items() <= truth(server, ["sky"]).items()


def test_times_without_an_offset_need_a_zone(server: WeatherServer, tmp_path: Path) -> None:
    server.truth, server.offset_seconds = [hours(12)], None
    with pytest.raises(SettingsError, match=r"names no zone. Say which: \[source.sky\] timezone"):
        Pull(tmp_path, server).offered()
    pull = Pull(tmp_path, server, timezone="UTC")
    pull()
    assert pull.kept() == truth(server, ["sky"])


def test_further_columns_are_covariates_in_the_answers_units(server: WeatherServer, tmp_path: Path) -> None:
    server.truth = [{hour: (value or 0) * 1.8 + 32 for hour, value in hours(2).items()}]
    server.more = {"surface_pressure": [1010.0], "wind_speed_10m": [36.0], "wind_direction_10m": [270], "rain": [None]}
    server.units |= {"temperature_2m": "°F", "surface_pressure": "hPa", "wind_speed_10m": "km/h", "rain": "inch"}
    covariates = {
        "pressure_hpa": "surface_pressure", "rain_mm": "rain",
        "wind_east_ms": {"speed": "wind_speed_10m", "direction": "wind_direction_10m"},
    }  # fmt: skip
    pull = Pull(tmp_path, server, covariates=covariates)
    report = pull()
    assert server.asked[0]["hourly"].split(",") == [
        "temperature_2m", "surface_pressure", "rain", "wind_speed_10m", "wind_direction_10m"
    ]  # fmt: skip
    assert report.counts.new == 48
    row = store_of(pull.workspace).read(NOW, covariates=True).iloc[0]
    assert row["temperature_c"] == pytest.approx(5.0, abs=0.01)
    assert row["pressure_hpa"] == 1010
    assert row["wind_east_ms"] == pytest.approx(10.0)


def test_a_value_that_makes_no_sense_is_quarantined_once(server: WeatherServer, tmp_path: Path) -> None:
    odd: Any = {START + timedelta(hours=1): "warm", START + timedelta(hours=2): True, START + timedelta(hours=3): 5000}
    server.truth = [hours(1) | odd]
    pull = Pull(tmp_path, server)
    assert pull().quarantined == 3
    server.truth[0] |= hours(1, START + timedelta(days=1))
    assert pull().counts.new == 24
    rows = quarantined(pull.workspace)
    assert len(rows) == 3
    assert rows["position"].iloc[0] == f"{server.url}#sky 2024-01-01T01:00+00:00"
    server.truth = [hours(2)]
    pull()
    assert pull.kept() == truth(server, ["sky"])


def test_secrets_come_from_the_environment_and_are_never_told(
    server: WeatherServer, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setenv("SKY_TOKEN", SECRET)
    server.truth = [hours(2)]
    tired, refused = (f'{{"reason": "{SECRET} {word}"}}'.encode() for word in ("is tired", "is not known"))
    server.pranks.extend([fails(500, tired), fails(403, refused)])
    pull = Pull(tmp_path, server, headers={"X-Token": "${SKY_TOKEN}"}, params={"apikey": "${SKY_TOKEN}"})
    with caplog.at_level(logging.DEBUG), pytest.raises(SourceError) as caught:
        pull.offered()
    assert "answered 403: *** is not known" in str(caught.value)
    assert SECRET not in str(caught.value) + caplog.text
    assert (server.asked[0]["apikey"], server.headers[0]["X-Token"]) == (SECRET, SECRET)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"headers": {"Authorization": SECRET}}, "headers.Authorization holds a secret. Write ${MY_SECRET}"),
        ({"params": {"apikey": SECRET}}, "params.apikey holds a secret"),
        ({"url": f"http://me:{SECRET}@127.0.0.1/x"}, "url holds a secret"),
        ({"url": f"http://127.0.0.1/x?appid={SECRET}"}, "url holds a secret"),
        ({"headers": {"X-Token": "${NOT_THERE}"}}, "refers to ${NOT_THERE}, which the environment does not set"),
        ({"url": "ftp://127.0.0.1/x"}, "url must begin with http:// or https://"),
        ({"url": ""}, "an http source needs a url"),
        ({"headers": {"X-Name": "a\nb"}}, "headers.X-Name holds characters that a header cannot"),
    ],
)
def test_impossible_settings_are_refused_in_words(
    server: WeatherServer, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    pull = Pull(tmp_path, server, **settings)
    with pytest.raises(SettingsError) as caught:
        pull.offered()
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert server.asked == []


def test_the_range_can_stand_where_the_service_wants_it(server: WeatherServer, tmp_path: Path) -> None:
    server.pranks.append(says('{"hourly": {"time": ["2024-01-02T00:00Z"], "temperature_2m": [1.5]}}'))
    pull = Pull(tmp_path, server, url=f"{server.url}/{{since}}?to={{until}}", params={"f": "m"}, days_per_page=30)
    assert pull().counts.new == 1
    assert server.paths[0].startswith("/v1/archive/2024-01-01T00:00:00Z?")
    assert server.asked == [{"to": "2024-01-12T00:00:00Z", "f": "m"}]


def test_it_is_a_source_like_any_other(server: WeatherServer, tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody there, and not asked for what is here
    server.truth = [hours(10)]
    workspace = Pull(tmp_path, server).workspace
    assert ingest(workspace, NOW, NOW, ["sky"]).counts.new == 240


def test_a_page_is_kept_for_every_location_or_for_none(server: WeatherServer, tmp_path: Path) -> None:
    """Or the one whose part was wrong would lack those days for ever: the others moved the mark past them."""
    server.truth = [hours(11), hours(11, level=15.0)]
    pull = Pull(tmp_path, server, stations=["a", "b"], retries=0)
    times = [f"2024-01-01T{hour:02d}:00" for hour in range(24)]
    good = {"hourly": {"time": times, "temperature_2m": [5.0] * 24}, "utc_offset_seconds": 0}
    server.pranks.append(says(json.dumps([good, {"error": True, "reason": "try later"}])))
    with pytest.raises(SourceError, match="try later"):
        pull()
    assert pull.kept() == {}
    pull()
    assert pull.kept() == truth(server, ["a", "b"])


def test_a_secret_that_the_answer_repeats_is_hidden_before_it_is_cut(
    server: WeatherServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"{SECRET}-0123456789-0123456789"
    monkeypatch.setenv("TOKEN", secret)
    server.pranks.append(says(f"<html>unknown token {secret}</html>"))
    pull = Pull(tmp_path, server, headers={"Authorization": "${TOKEN}"}, retries=0)
    with pytest.raises(SourceError, match="unknown token") as told:
        pull()
    assert "s3cret" not in str(told.value)
