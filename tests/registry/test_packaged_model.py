"""The packaged model lives on its own: text and plain weights, loadable where this project is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
from support import NOW, store_of

from lstm_model.forecasts import issue_forecast
from lstm_model.registry import MODEL, open_tracking
from lstm_model.registry.tracking import database_uri
from lstm_model.workspace import Workspace

ELSEWHERE = """
import importlib.util, json, sys
project, database, readings = sys.argv[1:]
sys.path = [entry for entry in sys.path if entry not in ("", project)]
assert importlib.util.find_spec("flows") is None and importlib.util.find_spec("lstm_model") is None
import mlflow, pandas as pd
mlflow.set_tracking_uri(database)
model = mlflow.pyfunc.load_model("models:/nightcast@champion")
frame = pd.read_parquet(readings)
forecast = model.predict(frame)
without = model.predict(frame.drop(columns="pressure_hpa"))
print(json.dumps({"rows": len(forecast), "median": forecast["temperature_c"].tolist(),
                  "without": without["temperature_c"].tolist(),
                  "code": sys.modules["lstm_model"].__file__}))
"""


def package_of(workspace: Workspace) -> Path:
    open_tracking(workspace)
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{MODEL}@champion"))


def test_it_loads_where_the_project_is_not_importable(trained: Workspace, tmp_path: Path) -> None:
    issued = issue_forecast(trained, NOW, NOW)
    package = package_of(trained)
    readings = store_of(trained).read(NOW, since=NOW - pd.Timedelta("48h"), covariates=True)
    readings = readings.assign(
        observed_at=readings["observed_at"].dt.tz_localize(None),
        temperature_c=readings["temperature_c"].astype("float64"),
        pressure_hpa=readings["pressure_hpa"].astype("float64"),
    )
    readings.to_parquet(tmp_path / "readings.parquet")
    project = str(Path(__file__).parents[2])
    answer = subprocess.run(
        [
            sys.executable, "-I", "-c", ELSEWHERE, project, database_uri(trained.mlruns),
            str(tmp_path / "readings.parquet"),
        ],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout.splitlines()[-1])
    assert told["code"].startswith(str(package))
    assert pd.Series(told["without"]).notna().all()
    assert told["without"] != told["median"]
    served = issued.forecast.sort_values(["station_id", "lead_hours"])["temperature_c"]
    pd.testing.assert_series_equal(
        pd.Series(told["median"]), served.astype("float64"), check_names=False, check_index=False, atol=1e-4
    )


def test_nothing_in_it_is_a_serialised_object(trained: Workspace) -> None:
    files = [file for file in package_of(trained).rglob("*") if file.is_file()]
    assert {"weights.safetensors", "forecaster.json", "packaged_model.py", "MLmodel"} <= {file.name for file in files}
    text = {".py", ".json", ".txt", ".yaml", ".yml", ".safetensors", ""}
    assert {file.suffix for file in files} <= text
    for file in files:
        assert not file.read_bytes().startswith((b"\x80\x04", b"\x80\x05", b"PK")), file
