"""A saved forecaster's two files: plain arrays, and a description that vouches for them; nothing in them is code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from lstm_model.errors import ModelUnavailable

FORMAT = 2
WEIGHTS_FILE, DESCRIPTION_FILE = "weights.safetensors", "forecaster.json"
CHECKSUM = "weights_sha256"


def write_model(folder: Path, arrays: dict[str, np.ndarray], description: dict[str, Any]) -> None:
    """Write weights as safetensors and everything else, with the weights' checksum, as JSON."""
    weights = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    described = {"format": FORMAT, **description, CHECKSUM: hashlib.sha256(weights).hexdigest()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS_FILE).write_bytes(weights)
    (folder / DESCRIPTION_FILE).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def read_model(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and description, as `write_model` wrote them. Models from before there was a checksum are believed.

    Raises:
        ModelUnavailable: another format, or the weights are not those that were saved.
    """
    description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    if description["format"] != FORMAT:
        raise ModelUnavailable(
            f"{folder}: model format {description['format']}, this version reads {FORMAT}; train a new model"
        )
    weights = (folder / WEIGHTS_FILE).read_bytes()
    found, promised = hashlib.sha256(weights).hexdigest(), description.get(CHECKSUM)
    if promised not in (None, found):
        raise ModelUnavailable(
            f"{folder / WEIGHTS_FILE}: damaged: its SHA-256 is {found[:12]}…, {promised[:12]}… was saved; "
            "restore the file or train a new model"
        )
    return load(weights), description


def differences(saved: Path, other: Path) -> list[str]:
    """In what two saved forecasters differ, in words; nothing where weights and description are the same.

    Args:
        saved: one folder.
        other: the other one; its values are named last.
    """
    told = _differing_description(_described(saved), _described(other))
    if (saved / WEIGHTS_FILE).read_bytes() == (other / WEIGHTS_FILE).read_bytes():
        return told
    return [*told, _differing_weights(*(load((folder / WEIGHTS_FILE).read_bytes()) for folder in (saved, other)))]


def _described(folder: Path) -> dict[str, Any]:
    """The description without the checksum, settings one by one."""
    description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    settings = {f"settings.{name}": value for name, value in description.pop("settings").items()}
    description.pop(CHECKSUM, None)
    return description | settings


def _differing_description(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    names = [name for name in one | other if one.get(name) != other.get(name)]
    return [f"{name}: {one.get(name)} is now {other.get(name)}" for name in names]


def _differing_weights(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> str:
    if {name: value.shape for name, value in one.items()} != {name: value.shape for name, value in other.items()}:
        return f"{WEIGHTS_FILE}: the arrays are of other shapes"
    apart = {
        name: float(np.nanmax(np.abs(value.astype(float) - other[name].astype(float)), initial=0.0))
        for name, value in one.items()
        if value.tobytes() != other[name].tobytes()
    }
    if not apart:
        return f"{WEIGHTS_FILE}: the same numbers, kept in another order"
    farthest = max(apart, key=lambda name: apart[name])
    return f"{WEIGHTS_FILE}: {len(apart)} of {len(one)} arrays differ, {farthest} most, by up to {apart[farthest]:.3g}"
