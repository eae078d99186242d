"""Stage 7: what needs a person. Rules with hysteresis over verified scores and what came in; each night anew."""

from lstm_model.monitoring.finding import Finding
from lstm_model.monitoring.monitor import monitor

__all__ = ["Finding", "monitor"]
