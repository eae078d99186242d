"""The flow that trains tonight's candidate."""

from __future__ import annotations

from prefect import flow

from flows.artifacts import TrainingProgress, leave_page
from flows.clock import present
from flows.naming import named
from flows.night import Skipped
from flows.outcome import told
from flows.pages import training_page
from flows.parameters import Number, Text, Whole
from flows.words import training_in_words
from lstm_model.errors import HistoryTooShort
from lstm_model.registry import Candidate, train_candidate
from lstm_model.workspace import Workspace


@flow(
    name="train",
    description="Train a fresh candidate, backtest it, and register it as challenger.",
    flow_run_name=named("train"),
)
@told(training_in_words)
def train_flow(
    as_of: Text = None,
    max_epochs: Whole = None,
    hidden_size: Whole = None,
    ensemble: Whole = None,
    neighbours: Whole = None,
    half_life_days: Number = None,
    seed: Whole = None,
) -> Candidate | Skipped:
    """Train a candidate; skipped while there is too little history.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
        max_epochs: passes over the history at most, 0 for the ridge without an LSTM; empty, as nightcast.toml says.
        hidden_size: width of the LSTM's state; empty, as nightcast.toml says.
        ensemble: networks whose quantiles are averaged; empty, as nightcast.toml says.
        neighbours: other stations each station sees; empty, as nightcast.toml says.
        half_life_days: readings this old teach half as much, 0 for all alike; empty, as nightcast.toml says.
        seed: of every random choice; empty, as nightcast.toml says.
    """
    workspace = Workspace.find().with_model(
        max_epochs=max_epochs,
        hidden_size=hidden_size,
        ensemble=ensemble,
        neighbours=neighbours,
        half_life_days=half_life_days,
        seed=seed,
    )
    progress = TrainingProgress(workspace.settings.model)
    try:
        candidate = train_candidate(workspace, present(workspace, as_of), progress)
    except HistoryTooShort as reason:
        return Skipped(str(reason))
    progress.finish(training_in_words(candidate))
    leave_page("training", lambda: training_page(candidate, workspace), f"Version {candidate.version}")
    return candidate
