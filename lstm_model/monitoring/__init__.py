"""Stage 7: what needs a person. Rules with hysteresis over verified scores and what came in; each night anew."""

from lstm_model.monitoring.finding import Finding
from lstm_model.monitoring.monitor import findings_of, monitor
from lstm_model.monitoring.verified import Reign

__all__ = ["Finding", "Reign", "findings_of", "monitor"]
