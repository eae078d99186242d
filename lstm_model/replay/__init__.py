"""Stage 8: past nights lived again as they would have been, under several policies side by side."""

from lstm_model.replay.outcome import Outcome
from lstm_model.replay.replay import Replay
from lstm_model.replay.schedule import nights_between

__all__ = ["Outcome", "Replay", "nights_between"]
