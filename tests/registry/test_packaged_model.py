"""The packaged model lives on its own: text and plain weights, loadable where this project is not."""

from __future__ import annotations

import json
import subprocess
import venv
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path

import mlflow
import pandas as pd
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support import NOW, store_of

from lstm_model.forecasts import issue_forecast
from lstm_model.registry import MODEL, open_tracking, train_candidate
from lstm_model.registry.tracking import database_uri
from lstm_model.workspace import Workspace

ELSEWHERE = """
import importlib.util, json, pathlib, shutil, sys
database, readings = sys.argv[1:]
for absent in ("flows", "lstm_model", "prefect", "deltalake", "ioos_qc", "pytest"):
    assert importlib.util.find_spec(absent) is None, absent
import mlflow, pandas as pd
mlflow.set_tracking_uri(database)
model = mlflow.pyfunc.load_model("models:/nightcast@champion")
frame = pd.read_parquet(readings)
forecast = model.predict(frame)
without = model.predict(frame.drop(columns="pressure_hpa"))
ours = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "lstm_model"]
copy = pathlib.Path(shutil.copytree(pathlib.Path(ours[0]).parents[2], "damaged"))
(weights,) = copy.rglob("weights.safetensors")
weights.write_bytes(weights.read_bytes()[:-1] + bytes([weights.read_bytes()[-1] ^ 1]))
try:
    refusal = mlflow.pyfunc.load_model(str(copy)) and "loaded all the same"
except Exception as error:
    refusal = str(error)
print(json.dumps({"rows": len(forecast), "median": forecast["temperature_c"].tolist(),
                  "without": without["temperature_c"].tolist(),
                  "code": ours, "refusal": refusal}))
"""


def package_of(workspace: Workspace) -> Path:
    open_tracking(workspace)
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{MODEL}@champion"))


def needed_by(requirements: list[str]) -> dict[str, Distribution]:
    """The distributions that pip would install for these requirements, each as it is installed here."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in found:
            found[name] = distribution(name)
            assert requirement.specifier.contains(found[name].version, prereleases=True), requirement
        extras = {"", *requirement.extras}
        for line in found[name].requires or ():
            needed = Requirement(line)
            if needed.marker is not None and not any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                continue
            if canonicalize_name(needed.name) not in found or needed.extras:
                waiting.append(needed)
    return found


def venv_of(requirements: list[str], folder: Path) -> Path:
    """The Python of a fresh venv that holds these requirements, what they need, and nothing else."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    for one in needed_by(requirements).values():
        for file in one.files or ():
            there, link = Path(str(one.locate_file(file))), packages / file
            if ".." in file.parts or "__pycache__" in file.parts or link.is_symlink():
                continue
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(there)
            if link.suffix == ".py":  # compiled as well: that takes longer than all else here
                compiled = Path(cache_from_source(str(link)))
                compiled.parent.mkdir(exist_ok=True)
                compiled.symlink_to(cache_from_source(str(there)))
    return folder / "bin" / "python"


def test_the_example_of_a_request_can_be_answered_also_where_the_fleet_fell_silent(trained: Workspace) -> None:
    candidate = train_candidate(trained, NOW + pd.Timedelta("4D"))
    package = mlflow.pyfunc.load_model(f"models:/{MODEL}/{candidate.version}")
    assert len(package.input_example) == 48
    assert len(package.predict(package.input_example)) == 12


def test_it_loads_in_a_venv_that_holds_only_its_own_requirements(trained: Workspace, tmp_path: Path) -> None:
    issued = issue_forecast(trained, NOW, NOW)
    package = package_of(trained)
    requirements = (package / "requirements.txt").read_text().splitlines()
    readings = store_of(trained).read(NOW, since=NOW - pd.Timedelta("48h"), covariates=True)
    readings = readings.assign(
        observed_at=readings["observed_at"].dt.tz_localize(None),
        temperature_c=readings["temperature_c"].astype("float64"),
        pressure_hpa=readings["pressure_hpa"].astype("float64"),
    )
    readings.to_parquet(tmp_path / "readings.parquet")
    answer = subprocess.run(
        [
            venv_of(requirements, tmp_path / "venv"), "-I", "-c", ELSEWHERE, database_uri(trained.mlruns),
            str(tmp_path / "readings.parquet"),
        ],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout.splitlines()[-1])
    assert len(told["code"]) > 10
    assert all(file.startswith(str(package)) for file in told["code"])  # every module is its own copy
    assert "damaged: its SHA-256 is" in told["refusal"]
    assert pd.Series(told["without"]).notna().all()
    assert told["without"] != told["median"]
    served = issued.forecast.sort_values(["station_id", "lead_hours"])["temperature_c"]
    pd.testing.assert_series_equal(
        pd.Series(told["median"]), served.astype("float64"), check_names=False, check_index=False, atol=1e-4
    )


def test_nothing_in_it_is_a_serialised_object(trained: Workspace) -> None:
    """Every file is text, or safetensors to the last byte: a header in JSON and numbers as the header counts them."""
    files = [file for file in package_of(trained).rglob("*") if file.is_file()]
    assert {"weights.safetensors", "forecaster.json", "packaged_model.py", "MLmodel"} <= {file.name for file in files}
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".safetensors":
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            assert {array["dtype"] for array in header.values()} <= {"F32", "F64", "I64"}
            assert max(array["data_offsets"][1] for array in header.values()) == len(content) - 8 - length
        else:
            assert file.suffix in {".py", ".json", ".txt", ".yaml", ".yml", ""}, file
            assert b"\0" not in content, file
            content.decode("utf-8")  # which no pickle, archive or image is
    described = yaml.safe_load((package_of(trained) / "MLmodel").read_text())["flavors"]["python_function"]
    assert described["loader_module"] == "mlflow.pyfunc.loaders.code_model"
    assert "python_model" not in described  # where MLflow would name a pickle
