"""Stage 2: readings become a regular grid with masks, a calendar, a climatology and causal anomalies."""

from lstm_model.panel.climatology import ClimatologyModel
from lstm_model.panel.grid import Panel, build_panel
from lstm_model.panel.holdout import HeldOut, hold_out_blocks
from lstm_model.panel.signals import calendar, carry_forward, steps_since_observed, values_ahead

__all__ = [
    "ClimatologyModel",
    "HeldOut",
    "Panel",
    "build_panel",
    "calendar",
    "carry_forward",
    "hold_out_blocks",
    "steps_since_observed",
    "values_ahead",
]
