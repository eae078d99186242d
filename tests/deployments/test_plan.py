"""The plan: every flow once, scheduled as nightcast.toml says, the same for `up` and for a pool of workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from deployments.plan import NEVER, digest_of, for_prefect_yaml, plan, plan_version
from flows.killed import FLOWS
from lstm_model.errors import SettingsError
from lstm_model.settings import ScheduleSettings
from lstm_model.workspace import Workspace

PREFECT_YAML = Path(__file__).parents[2] / "deployments" / "prefect.yaml"


def test_nightcast_toml_decides_every_schedule(make_workspace: Callable[[str], Workspace]) -> None:
    toml = '[schedule]\nnightly = "15 3 * * *"\nverify = ""\ntimezone = "Europe/Berlin"\n'
    planned = {one.name: one for one in plan(make_workspace(toml).settings.schedule)}
    assert planned["nightly"].schedule_in_words == "'15 3 * * *' (Europe/Berlin)"
    assert planned["verify"].schedule_in_words == NEVER
    assert planned["maintenance"].cron == "30 3 * * 0"
    assert not any(planned[name].cron for name in ("train", "promote", "rollback"))


def test_a_cron_that_is_none_is_refused_with_a_way_out(make_workspace: Callable[[str], Workspace]) -> None:
    with pytest.raises(SettingsError, match=r"'at night' is no cron expression; .* or '' for never"):
        make_workspace('[schedule]\nnightly = "at night"\n')


def test_every_key_of_the_schedule_is_a_deployment_and_every_deployment_is_looked_after() -> None:
    names = {one.name for one in plan(ScheduleSettings())}
    assert set(ScheduleSettings.model_fields) - {"timezone"} <= names
    assert names == set(FLOWS)


def test_every_deployment_tells_what_it_does_and_when_to_start_it() -> None:
    for one in plan(ScheduleSettings()):
        assert one.description.startswith("**") and "*By hand*" in one.description, one.name
        assert one.tags[0] == "nightcast"


def test_the_pool_deploys_the_same(make_workspace: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace('[schedule]\nnightly = ""\ningest = "7 * * * *"\n')
    monkeypatch.setenv("NIGHTCAST_HOME", str(workspace.home))
    told = for_prefect_yaml()
    assert told["ingest"]["cron"] == "7 * * * *" and told["ingest"]["active"]
    assert told["nightly"]["cron"] == "15 2 * * *" and not told["nightly"]["active"]
    in_file = {one["name"]: one for one in yaml.safe_load(PREFECT_YAML.read_text())["deployments"]}
    planned = {one.name: one for one in plan(workspace.settings.schedule)}
    assert {name: one["entrypoint"] for name, one in in_file.items()} == {
        name: one.entrypoint for name, one in planned.items()
    }
    for name, one in in_file.items():
        scheduled = one.get("schedules", [])
        assert bool(scheduled) == (name in ScheduleSettings.model_fields), name
        assert one.get("triggers", []) == list(planned[name].triggers), name
        assert all(schedule["cron"] == f"{{{{ plan.{name}.cron }}}}" for schedule in scheduled)


def test_the_version_follows_the_plan_and_the_flows(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    plan_file, flow = tmp_path / "plan.py", tmp_path / "flows" / "night.py"
    plan_file.write_text("a plan")
    flow.write_text("a night")
    first = digest_of(plan_file, flow.parent)
    assert digest_of(plan_file, flow.parent) == first
    flow.write_text("another night")
    second = digest_of(plan_file, flow.parent)
    plan_file.write_text("another plan")
    assert len({first, second, digest_of(plan_file, flow.parent)}) == 3
    assert plan_version().startswith(f"{version('nightcast')}+")


def test_what_waits_for_runs_imports_neither_torch_nor_mlflow() -> None:
    heavy = ("torch", "mlflow", "deltalake", "lstm_model.readings")
    script = f"import sys, deployments.serve, deployments.runner; print([m for m in {heavy!r} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert answer.stdout.strip() == "[]"
