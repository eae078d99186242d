"""Stage 6: issuing forecasts that always go out, keeping them, and scoring them against what came."""

from lstm_model.forecasts.choice import Wanted
from lstm_model.forecasts.export import Export, export_forecasts, format_of
from lstm_model.forecasts.issue import Issue, issue_forecast
from lstm_model.forecasts.limit_skill import limit_cases, limit_reliability, limit_skill
from lstm_model.forecasts.limits import probability_above, probability_below
from lstm_model.forecasts.netcdf import Made
from lstm_model.forecasts.record import record_verified
from lstm_model.forecasts.skill import rank_histogram, revisions, verified_skill, without_truth
from lstm_model.forecasts.store import ForecastStore
from lstm_model.forecasts.verification import Verification, verify_forecasts

__all__ = [
    "Export",
    "ForecastStore",
    "Issue",
    "Made",
    "Verification",
    "Wanted",
    "export_forecasts",
    "format_of",
    "issue_forecast",
    "limit_cases",
    "limit_reliability",
    "limit_skill",
    "probability_above",
    "probability_below",
    "rank_histogram",
    "record_verified",
    "revisions",
    "verified_skill",
    "verify_forecasts",
    "without_truth",
]
