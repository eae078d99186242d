"""The peers by row: module, class and what it is made with. Imported by both venvs, so it imports none of them."""

from __future__ import annotations

from typing import Any

ROWS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "last_value": ("last_value", "LastValue", {}),
    "lightgbm": ("boosting", "LightGBM", {}),
    "lightgbm_fleet": ("boosting", "LightGBM", {"fleet": True}),
    "lightgbm_fleet_cov": ("boosting", "LightGBM", {"fleet": True, "covariates": True}),
    "nf_lstm": ("neural", "Neural", {"model": "LSTM"}),
    "nf_nhits": ("neural", "Neural", {"model": "NHITS"}),
    "nf_dlinear": ("neural", "Neural", {"model": "DLinear"}),
    "sf_mstl": ("statistical", "DecomposedARIMA", {}),
}
