"""Stage 6: issuing forecasts that always go out, keeping them, and scoring them against what came."""

from lstm_model.forecasts.issue import Issue, issue_forecast
from lstm_model.forecasts.record import record_verified
from lstm_model.forecasts.skill import rank_histogram, revisions, verified_skill, without_truth
from lstm_model.forecasts.store import ForecastStore
from lstm_model.forecasts.verification import Verification, verify_forecasts

__all__ = [
    "ForecastStore",
    "Issue",
    "Verification",
    "issue_forecast",
    "rank_histogram",
    "record_verified",
    "revisions",
    "verified_skill",
    "verify_forecasts",
    "without_truth",
]
