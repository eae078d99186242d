"""What became of registered versions, in words and for machines: reproduced."""

from __future__ import annotations

from typing import Any

from lstm_model.registry import Reproduction


def reproduction_in_words(outcome: Reproduction) -> str:
    """Whether the same bytes came out, and where they did not, in what they differ."""
    subject = f"version {outcome.version}, trained again in {outcome.seconds:.1f} s"
    if outcome.identical:
        return f"{subject}: identical, every byte of its weights."
    lines = [f"{subject}: not identical.", *(f"  differs: {told}" for told in outcome.differences)]
    lines += [f"  not as it was: {told}" for told in outcome.environment]
    if not outcome.environment:
        lines.append("  code, packages and processor are as they were")
    return "\n".join(lines)


def reproduction_as_data(outcome: Reproduction) -> dict[str, Any]:
    """The same for machines."""
    return {
        "version": outcome.version,
        "identical": outcome.identical,
        "differences": list(outcome.differences),
        "environment": list(outcome.environment),
        "readings_version": outcome.readings_version,
        "training_seconds": round(outcome.seconds, 3),
    }
