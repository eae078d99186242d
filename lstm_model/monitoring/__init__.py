"""Stage 7: what needs a person. Rules with hysteresis over verified scores and what came in; each night anew."""

from lstm_model.monitoring.finding import Finding, doubt_of, why_no_trial
from lstm_model.monitoring.monitor import findings_of, monitor
from lstm_model.monitoring.verified import Reign

__all__ = ["Finding", "Reign", "doubt_of", "findings_of", "monitor", "why_no_trial"]
