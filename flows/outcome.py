"""How a flow run ends on the dashboard: with a sentence, whether it did its work, had none to do, or failed."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows.night import Skipped
from lstm_model.errors import in_a_sentence

_RUNS = "prefect.flow_runs"

P = ParamSpec("P")
R = TypeVar("R")


def told(in_words: Callable[..., str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turn what a flow's body returns or raises into the run's state, with a sentence as its message.

    A step that could not be done yet ends as "Skipped", with its reason. An error that was foreseen is a
    sentence and one line in the log instead of a traceback; any other keeps its traceback. Callers in Python
    still get the very object that the body returned, or the very error that it raised.

    Args:
        in_words: says what was done, given what the body returned.
    """

    def around(body: Callable[P, R]) -> Callable[P, R]:
        @wraps(body)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            _speak()
            try:
                outcome = body(*args, **kwargs)
            except Exception as error:
                if (sentence := in_a_sentence(error)) is None:
                    raise
                get_run_logger().error("%s", sentence)
                logging.getLogger(_RUNS).addFilter(_not_told)
                return cast(R, Failed(message=sentence, data=error))
            if isinstance(outcome, Skipped):
                return cast(R, Completed(name="Skipped", message=outcome.reason, data=outcome))
            return cast(R, Completed(message=in_words(outcome), data=outcome))

        # Prefect reads parameters off the wrapper, whose module knows nothing of the types that the body names.
        run.__annotations__ = inspect.get_annotations(body, eval_str=True)
        vars(run)["__signature__"] = inspect.signature(body, eval_str=True)
        return run

    return around


def _speak() -> None:
    """Let the log tab hear what nightcast does: Prefect listens to its logger, and leaves the level to others."""
    logger = logging.getLogger("nightcast")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def _not_told(record: logging.LogRecord) -> bool:
    """Keep the process that ran a deployment from calling an error unexpected whose sentence the log has already."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, Exception) and in_a_sentence(error))
