"""Stage 4: baselines, rolling-origin backtests, scores, and the rule that promotes."""

from lstm_model.evaluation.backtest import Backtest, Method, from_its_end, run_backtest
from lstm_model.evaluation.bands import ratio_band
from lstm_model.evaluation.baselines import BASELINES, Baseline, fit_baselines
from lstm_model.evaluation.gate import Decision, Evidence, decide
from lstm_model.evaluation.retrial import NO_BETTER, Judgement, Title, try_champion
from lstm_model.evaluation.scores import crps_from_quantiles, pit_from_quantiles
from lstm_model.evaluation.trial import Champion, Window, backtest_in_window, gate_window, hold_trial, living_panel

__all__ = [
    "BASELINES",
    "NO_BETTER",
    "Backtest",
    "Baseline",
    "Champion",
    "Decision",
    "Evidence",
    "Judgement",
    "Method",
    "Title",
    "Window",
    "backtest_in_window",
    "crps_from_quantiles",
    "decide",
    "fit_baselines",
    "from_its_end",
    "gate_window",
    "hold_trial",
    "living_panel",
    "pit_from_quantiles",
    "ratio_band",
    "run_backtest",
    "try_champion",
]
