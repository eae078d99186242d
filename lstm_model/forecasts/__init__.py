"""Stage 6: issuing forecasts that always go out, keeping them, and scoring them against what came."""

from lstm_model.forecasts.issue import Issue, issue_forecast
from lstm_model.forecasts.store import ForecastStore
from lstm_model.forecasts.verification import Verification, verify_forecasts

__all__ = ["ForecastStore", "Issue", "Verification", "issue_forecast", "verify_forecasts"]
