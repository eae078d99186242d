"""Stage 4: baselines, rolling-origin backtests, scores, and the rule that promotes."""

from lstm_model.evaluation.backtest import Backtest, run_backtest
from lstm_model.evaluation.baselines import BASELINES, Baseline, fit_baselines
from lstm_model.evaluation.gate import Decision, Evidence, decide
from lstm_model.evaluation.scores import crps_from_quantiles, pit_from_quantiles

__all__ = [
    "BASELINES",
    "Backtest",
    "Baseline",
    "Decision",
    "Evidence",
    "crps_from_quantiles",
    "decide",
    "fit_baselines",
    "pit_from_quantiles",
    "run_backtest",
]
