"""What became of registered versions, in words and for machines: reproduced, pruned."""

from __future__ import annotations

from typing import Any

from lstm_model.registry import Pruning, Reproduction
from lstm_model.words import count

_UNITS = ("bytes", "kB", "MB", "GB")


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


def pruning_in_words(outcome: Pruning, *, dry_run: bool = False) -> str:
    """What went and how much room that made, or what would."""
    if not outcome.anything:
        return f"nothing is old enough to go; {count(outcome.kept, 'version')} stay"
    verb = "would go" if dry_run else "went"
    which = f" ({_spans(outcome.versions)})" if outcome.versions else ""
    left = "" if not outcome.rows_stay or dry_run else "; the server keeps their rows until `mlflow gc` is run there"
    return (
        f"{count(len(outcome.versions), 'version')}{which}, {count(len(outcome.runs), 'run')} and "
        f"{count(len(outcome.models), 'packaged model')} {verb}, {_size(outcome.bytes)}; "
        f"{count(outcome.kept, 'version')} stay{left}"
    )


def pruning_as_data(outcome: Pruning) -> dict[str, Any]:
    """The same for machines."""
    return {
        "versions": list(outcome.versions),
        "runs": list(outcome.runs),
        "models": list(outcome.models),
        "bytes": outcome.bytes,
        "kept": outcome.kept,
    }


def _spans(versions: tuple[str, ...]) -> str:
    """Numbers as people write them: 1–3, 7."""
    spans: list[list[int]] = []
    for number in map(int, versions):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in spans)


def _size(count: float) -> str:
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"
