"""Stage 5: MLflow. Runs, the packaged model, versions, and the aliases champion, challenger and previous."""

from lstm_model.registry.approval import AWAITING, BY_ANSWER, Answer, Approval, Silence, awaits_approval
from lstm_model.registry.attachment import attach_report
from lstm_model.registry.candidate import Candidate, train_candidate
from lstm_model.registry.demotion import Demotion, Doubt, demote_champion
from lstm_model.registry.promotion import Promotion, promote_challenger, rehearse_promotion
from lstm_model.registry.promotion_log import Entry, PromotionLog
from lstm_model.registry.prune import Pruning, prune
from lstm_model.registry.reproduce import Reproduction, reproduce
from lstm_model.registry.rollback import roll_back
from lstm_model.registry.tracking import EXPERIMENT, MODEL, has_tracking, open_tracking
from lstm_model.registry.upkeep import MaintenanceReport, maintain
from lstm_model.registry.verified import log_verified
from lstm_model.registry.versions import (
    ALIASES,
    Verified,
    Version,
    as_champion,
    check_same_task,
    find_version,
    list_versions,
    load_forecaster,
    standing_versions,
)

__all__ = [
    "ALIASES",
    "AWAITING",
    "BY_ANSWER",
    "EXPERIMENT",
    "MODEL",
    "Answer",
    "Approval",
    "Candidate",
    "Demotion",
    "Doubt",
    "Entry",
    "MaintenanceReport",
    "Promotion",
    "PromotionLog",
    "Pruning",
    "Reproduction",
    "Silence",
    "Verified",
    "Version",
    "as_champion",
    "attach_report",
    "awaits_approval",
    "check_same_task",
    "demote_champion",
    "find_version",
    "has_tracking",
    "list_versions",
    "load_forecaster",
    "log_verified",
    "maintain",
    "open_tracking",
    "promote_challenger",
    "prune",
    "rehearse_promotion",
    "reproduce",
    "roll_back",
    "standing_versions",
    "train_candidate",
]
