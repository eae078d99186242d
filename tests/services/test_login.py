"""`up` behind a login: nobody gets in without it, and everything of ours does."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest
from servers import Up, until

pytestmark = pytest.mark.services

ANNOUNCE = (
    "from flows.events import trial; from flows.telling import announce; from lstm_model.workspace import Workspace; "
    "announce(Workspace.find(), trial(), in_flow=False)"
)
LOGIN = ("ada", "difference engine")


def test_nobody_gets_in_without_the_login_and_everything_of_ours_does(home: Up) -> None:
    home.write_settings('auth = "${DASHBOARD_LOGIN}"\n[schedule]\nnightly = ""\n')
    told = {"DASHBOARD_LOGIN": ":".join(LOGIN)}
    with home.running(**told):
        pages = f"{home.prefect}/api/flows/count", f"{home.mlflow}/ajax-api/2.0/mlflow/experiments/search"
        for page in pages:
            assert _asks(page).status_code == 401
            assert _asks(page, auth=("ada", "wrong")).status_code == 401
            assert _asks(page, auth=LOGIN).status_code == 200
            assert _asks(page, auth=LOGIN, headers={"Host": "evil.example"}).status_code == 400
            assert _asks(page, auth=LOGIN, headers={"Origin": "https://evil.example"}).status_code == 403
        answer = home.person.types("verify", **told)
        assert answer.returncode == 0, answer.stderr
        status = json.loads(home.person.types("status", "--json", **told).stdout)
        assert "next_ingest" in status
        told_of = [sys.executable, "-c", ANNOUNCE]
        subprocess.run(told_of, env=home.person.environment(**told), cwd=home.person.workspace, check=True)
        heard = {"filter": {"event": {"name": ["nightcast.trial"]}}}
        until(lambda: _asks(f"{home.prefect}/api/events/filter", heard, auth=LOGIN).json()["total"] == 1)
        stranger = home.person.types("verify")
        assert stranger.returncode == 2
        assert stranger.stderr.endswith("auth refers to ${DASHBOARD_LOGIN}, which the environment does not set.\n")
    logs = "".join(file.read_text() for file in (home.person.workspace / ".nightcast" / "logs").iterdir())
    assert LOGIN[1] not in logs + "".join(home.said) + home.person.types("config", **told).stdout


def _asks(page: str, body: object = None, **how: object) -> httpx.Response:
    return httpx.post(page, json=body or {"max_results": 1}, trust_env=False, timeout=30, **how)  # type: ignore[arg-type]
