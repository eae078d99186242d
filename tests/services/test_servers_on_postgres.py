"""Both servers on a real PostgreSQL: the same nights, through a restart of it in the middle of one."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from postgres import Postgres
from servers import Up, until
from support import Person

pytestmark = pytest.mark.services

PASSWORD = "s3cret/%@one"
QUIET = "[model]\nmax_epochs = 1\n[schedule]\n" + "".join(
    f'{name} = ""\n' for name in ("ingest", "nightly", "forecast", "verify", "maintenance")
)
_PATIENT_MS = 60_000
_PATIENT_SECONDS = 400.0


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[tuple[Up, Up]]:
    """A workspace as it is, and one whose servers have databases elsewhere."""
    postgres.does(
        f"CREATE ROLE nightcast LOGIN PASSWORD '{PASSWORD}'",
        "CREATE DATABASE prefect OWNER nightcast",
        "CREATE DATABASE mlflow OWNER nightcast",
    )
    plain, moved_out = (
        Up(Person(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp(name))) for name in ("plain", "moved_out")
    )
    plain.write_settings(QUIET)
    moved_out.write_settings(
        "".join(
            f'{name} = "postgresql://nightcast:${{DATABASE_PASSWORD}}@127.0.0.1:{postgres.port}/{name}"\n'
            for name in ("prefect", "mlflow")
        )
        + QUIET
    )
    yield plain, moved_out


SECRET = {"DATABASE_PASSWORD": PASSWORD}


def test_a_night_is_the_same_night(homes: tuple[Up, Up]) -> None:
    plain, moved_out = homes
    told = plain.person.lives_a_night(), moved_out.person.lives_a_night(**SECRET)
    assert told[0]["promotion"]["rule"] == told[1]["promotion"]["rule"] == "no_champion"
    assert _weights(plain) == _weights(moved_out)
    pd.testing.assert_frame_equal(_forecast(plain), _forecast(moved_out))
    assert set(_forecast(moved_out)["method"]) == {"champion"}
    left = {file.name for file in moved_out.person.workspace.rglob("*.db*")}
    assert left == set(), "a database was made in the workspace all the same"


def test_its_pages_are_there_and_postgres_restarts_in_the_middle_of_the_next(
    homes: tuple[Up, Up], postgres: Postgres, page: Page
) -> None:
    home = homes[1]
    with home.running(**SECRET):
        found = _asks(home, "artifacts", {"artifacts": {"key": {"any_": ["night", "gate", "forecast", "training"]}}})
        assert {one["key"] for one in found} == {"night", "gate", "forecast", "training"}
        page.goto(f"{home.mlflow}/#/models/nightcast/versions/1")
        expect(page.get_by_text("there is no champion yet").first).to_be_visible(timeout=_PATIENT_MS)
        run = _quick_run(home, "nightly")
        until(lambda: _trains(postgres), _PATIENT_SECONDS)
        postgres.restart()
        state = until(lambda: _end_of(home, run), _PATIENT_SECONDS)
        assert state == "COMPLETED"
        assert home.person.workspace.joinpath("predictions/latest.csv").read_text().splitlines()[1][:10] == "2013-12-01"
        rows = json.loads(home.person.types("models", "--json", **SECRET).stdout)
        assert [row["version"] for row in rows][-2:] == ["2", "1"] and all(row["decision"] for row in rows)
        status = json.loads(home.person.types("status", "--json", **SECRET).stdout)
        assert status["last_night_failed_steps"] == "none"
    assert [row for row in _doctor(home) if row["verdict"] == "broken"] == []


def test_the_password_is_nowhere(homes: tuple[Up, Up]) -> None:
    home = homes[1]
    said = "".join(home.person.types(word, "--json", **SECRET).stdout for word in ("config", "doctor"))
    assert "${DATABASE_PASSWORD}" in said
    kept = b"".join(file.read_bytes() for file in home.person.workspace.rglob("*") if file.is_file())
    assert PASSWORD not in said + "".join(home.said) and "%2F%25%40one" not in said
    assert PASSWORD.encode() not in kept and b"%2F%25%40one" not in kept
    without = home.person.types("models")
    assert without.returncode == 2
    assert (
        without.stderr.count("\n") == 1 and "${DATABASE_PASSWORD}, which the environment does not set" in without.stderr
    )


def test_the_folder_moves_and_no_other_workspace_takes_the_model_over(
    homes: tuple[Up, Up], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = homes[1]
    stranger = Person(tmp_path_factory.mktemp("home"), tmp_path)
    settings = home.person.workspace.joinpath("nightcast.toml").read_text()
    (tmp_path / "nightcast.toml").write_text(settings)
    refused = stranger.types("models", **SECRET)
    assert refused.returncode == 1
    assert "belongs to another workspace" in refused.stderr.splitlines()[-1], refused.stderr
    elsewhere = home.person.workspace.with_name("moved")
    home.person.workspace.rename(elsewhere)
    answer = Person(home.person.home, elsewhere).types("forecast", "--json", **SECRET)
    assert answer.returncode == 0, answer.stderr
    assert set(pd.read_csv(elsewhere / "predictions" / "latest.csv")["method"]) == {"champion"}


def _weights(home: Up) -> list[str]:
    files = home.person.workspace.glob("mlruns/artifacts/**/weights.safetensors")
    return sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


def _forecast(home: Up) -> pd.DataFrame:
    table = pd.read_csv(home.person.workspace / "predictions" / "latest.csv")
    return table.drop(columns=["run_id", "created_at"])


def _asks(home: Up, what: str, wanted: object) -> list[dict[str, str]]:
    answer = httpx.post(f"{home.prefect}/api/{what}/filter", json=wanted, trust_env=False, timeout=60)
    answer.raise_for_status()
    found: list[dict[str, str]] = answer.json()
    return found


def _quick_run(home: Up, name: str) -> str:
    deployment = httpx.get(f"{home.prefect}/api/deployments/name/{name}/{name}", trust_env=False).json()["id"]
    path = f"{home.prefect}/api/deployments/{deployment}/create_flow_run"
    return str(httpx.post(path, json={}, trust_env=False, timeout=60).json()["id"])


def _trains(postgres: Postgres) -> bool:
    """Whether a training is under way, as MLflow's table says."""
    import psycopg

    with psycopg.connect(postgres.url.removesuffix("postgres") + "mlflow") as connection:
        found = connection.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()
    return bool(found and found[0])


def _end_of(home: Up, run: str) -> str | None:
    try:
        (found,) = _asks(home, "flow_runs", {"flow_runs": {"id": {"any_": [run]}}})
    except httpx.HTTPError:
        time.sleep(1)
        return None
    return found["state_type"] if found["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None


def _doctor(home: Up) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(home.person.types("doctor", "--json", **SECRET).stdout)
    return found
