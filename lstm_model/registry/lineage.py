"""What made a model: enough to say exactly where it came from."""

from __future__ import annotations

import hashlib
import json
import subprocess
from importlib.metadata import version as installed_version
from pathlib import Path

from lstm_model.network import cpu_capability, device_here
from lstm_model.panel import Panel
from lstm_model.settings import Settings

_PROJECT = Path(__file__).parents[2]


def lineage(settings: Settings, readings_version: int | None) -> dict[str, str]:
    """Tags that name data, settings, code and machine: all that the same bytes need."""
    return {
        "readings_version": str(readings_version),
        "settings": json.dumps(settings.model.model_dump(), sort_keys=True),
        "git_commit": git_commit(),
        "lock_hash": _lock_hash(),
        "seed": str(settings.model.seed),
        "threads": str(settings.model.threads),
        "cpu_capability": cpu_capability(),
        "device": device_here(settings.model.device),
        "torch_version": installed_version("torch"),
        "numpy_version": installed_version("numpy"),
    }


def panel_digest(panel: Panel) -> str:
    """What tells a panel from every other one: a digest of its stations, times and values."""
    digest = hashlib.sha256(json.dumps([panel.stations, *sorted(panel.covariates)]).encode())
    digest.update(panel.times.as_unit("us").asi8.tobytes())
    for values in (panel.temperature_c, *(panel.covariates[name] for name in sorted(panel.covariates))):
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]


def git_commit() -> str:
    """The commit of the code that runs, with `+changes` where the working tree differs; unknown outside git."""
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+changes" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_PROJECT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def _lock_hash() -> str:
    lock = _PROJECT / "requirements.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:16] if lock.is_file() else "unknown"
