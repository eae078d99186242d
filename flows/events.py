"""What the world hears of: every event by its name, with a sentence for people and a payload for machines.

`flows.telling` emits them to Prefect's server, where automations wait for them, and tells whom `[notify]` names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:  # what serves needs the names, and neither torch nor MLflow
    from flows.night import Night
    from lstm_model.forecasts.limits import Expected
    from lstm_model.monitoring import Finding
    from lstm_model.registry import Demotion, Entry, Promotion

NAMES = {
    "promoted": "nightcast.champion.promoted",
    "demoted": "nightcast.champion.demoted",
    "refused": "nightcast.gate.refused",
    "failed": "nightcast.night.failed",
    "ingest": "nightcast.ingest.failed",
    "late": "nightcast.readings.late",
    "limit": "nightcast.limit.expected",
    "raised": "nightcast.monitor.raised",
    "cleared": "nightcast.monitor.cleared",
    "approval": "nightcast.approval.wanted",
    "trial": "nightcast.trial",
}
MODEL_RESOURCE = "nightcast.model.nightcast"
FORECAST, DUE, COMING = "nightcast.forecast", "due", "coming"
"""Label of a promotion: whether somebody has to see to a forecast, or a night that goes on issues it."""

NIGHTLY = "nightly"
_TITLES = {
    "promoted": "a new champion",
    "demoted": "the champion was demoted",
    "refused": "the gate refused a challenger",
    "failed": "a night failed",
    "ingest": "readings cannot be taken in",
    "late": "readings are late",
    "limit": "a limit is expected to be passed",
    "raised": "something needs a person",
    "cleared": "something is well again",
    "approval": "a challenger awaits approval",
    "trial": "a trial",
}
_MOST_STATIONS = 5
_TOLD_AS_LATE = ("silent", "late")
"""Rules of monitoring whose stations `nightcast.readings.late` names anyway."""
_ROUTINE = "equal"


@dataclass(frozen=True)
class Event:
    """Something that happened.

    kind: a key of `NAMES`.
    resource: Prefect's labels of what it happened to.
    sentence: what, why, and the way out.
    payload: the same for machines, fit for JSON.
    routine: nobody needs to read of it; it is emitted all the same.
    """

    kind: str
    resource: Mapping[str, str]
    sentence: str
    payload: Mapping[str, Any]
    routine: bool = False

    @property
    def name(self) -> str:
        """Its name on Prefect's server."""
        return NAMES[self.kind]

    @property
    def title(self) -> str:
        """A few words, for the subject of a mail."""
        return _TITLES[self.kind]


def of_promotion(promotion: Promotion, as_of: pd.Timestamp, who: str, forecast: str | None = None) -> list[Event]:
    """What the gate decided, and a person after it; nothing where there was nothing to decide, or it is open.

    Args:
        promotion: the decision.
        as_of: the night it was taken in.
        who: asked for it, or said yes or no.
        forecast: whether one is due or coming; a night's own promotion is followed by one, any other is not.
    """
    from lstm_model.registry import BY_ANSWER

    decision = promotion.decision
    if decision.promote and promotion.challenger is not None:
        return [
            _promoted(
                promotion.challenger, promotion.champion_before, decision.rule, decision.reason, as_of, who,
                forecast or (DUE if who != NIGHTLY else COMING),
            )
        ]  # fmt: skip
    if promotion.awaits_approval or (promotion.evidence is None and decision.rule not in BY_ANSWER):
        return []
    stays = f"version {promotion.champion} stays champion" if promotion.champion else "there is no champion"
    sentence = (
        f"Version {promotion.challenger} was not promoted: {decision.reason}; {stays}. "
        "`nightcast models` lists the scores, the page `gate` on the dashboard shows the evidence."
    )
    payload = {
        "version": promotion.challenger,
        "champion": promotion.champion,
        "rule": decision.rule,
        "why": decision.reason,
        "who": who,
        "as_of": as_of.isoformat(),
    }
    return [Event("refused", _model(), sentence, payload, routine=decision.rule == _ROUTINE)]


def of_demotion(demotion: Demotion | None) -> list[Event]:
    """The champion that was demoted in a night, and the predecessor that serves again; nothing where none was."""
    entry = None if demotion is None else demotion.entry
    if entry is None or entry.before is None:
        return []
    serves = (
        f"version {entry.champion}, its predecessor, serves again"
        if entry.champion is not None
        else "baselines forecast until a challenger passes the gate"
    )
    sentence = (
        f"Version {entry.before} is champion no more: {entry.why}; {serves}. "
        f"`nightcast rollback --to {entry.before}` brings it back."
    )
    gone = Event("demoted", _model(), sentence, _gone(entry))
    if entry.champion is None:
        return [gone]
    return [gone, _promoted(entry.champion, entry.before, entry.rule, entry.why, entry.as_of, entry.who, COMING)]


def of_findings(findings: Iterable[Finding], as_of: pd.Timestamp) -> list[Event]:
    """What monitoring says tonight and did not say last night; late readings have an event of their own."""
    return [
        _of_finding(finding, as_of)
        for finding in findings
        if (finding.newly_raised or finding.newly_cleared) and finding.rule not in _TOLD_AS_LATE
    ]


def _of_finding(finding: Finding, as_of: pd.Timestamp) -> Event:
    payload = {
        "rule": finding.rule,
        "subject": finding.subject,
        "version": finding.version,
        "value": finding.value if math.isfinite(finding.value) else None,
        "limit": finding.limit,
        "breached": finding.breached,
        "nights": finding.nights,
        "as_of": as_of.isoformat(),
    }
    resource = {"prefect.resource.id": f"nightcast.monitor.{finding.rule}"}
    if finding.newly_raised:
        return Event("raised", resource, f"{finding.rule.capitalize()}: {finding.sentence}.", payload)
    sentence = f"{finding.rule.capitalize()} is well again: {finding.sentence}."
    return Event("cleared", resource, sentence, payload)


def of_approval_wanted(asked: Promotion, as_of: pd.Timestamp, until: pd.Timestamp | None, link: str | None) -> Event:
    """A challenger that the gate would promote waits for a person.

    Args:
        asked: the gate's decision.
        as_of: the night it was taken in.
        until: no answer by then is a no.
        link: where the dashboard asks; None where only `nightcast promote` does, and until the next challenger comes.
    """
    from flows.words import question_in_words

    where = f"Answer at {link} (Resume), or type" if link else "No dashboard asks, so type"
    sentence = (
        f"{question_in_words(asked, until if link else None)} {where} `nightcast promote --approve "
        f"{asked.challenger} --why TEXT`, or --reject."
    )
    payload = {
        "version": asked.challenger,
        "champion": asked.champion,
        "why": asked.decision.reason,
        "as_of": as_of.isoformat(),
        "until": until.isoformat() if link and until is not None else None,
        "link": link,
    }
    return Event("approval", _model(), sentence, payload)


def of_rollback(entry: Entry) -> list[Event]:
    """The champion that was put back, and the version that serves in its place."""
    assert entry.champion is not None
    came = _promoted(entry.champion, entry.before, entry.rule, entry.why, entry.as_of, entry.who, DUE)
    if entry.before is None:
        return [came]
    sentence = (
        f"Version {entry.before} is champion no more: {entry.who} put version {entry.champion} back ({entry.why}). "
        "A second `nightcast rollback` undoes it."
    )
    return [Event("demoted", _model(), sentence, _gone(entry)), came]


def _gone(entry: Entry) -> dict[str, Any]:
    """A champion's going, for machines."""
    return {
        "version": entry.before,
        "to": entry.champion,
        "rule": entry.rule,
        "why": entry.why,
        "who": entry.who,
        "as_of": entry.as_of.isoformat(),
    }


def of_night(night: Night) -> list[Event]:
    """A night that failed, with every step that did."""
    return [night_failed(night.as_of, night.failed, forecast_of(night))] if night.failed else []


def night_failed(as_of: pd.Timestamp, failed: Mapping[str, str], forecast: str | None) -> Event:
    """A night that failed.

    Args:
        as_of: which.
        failed: why, by step.
        forecast: what was forecast all the same, in words; None: nothing.
    """
    reasons = "; ".join(f"{step} failed: {reason}" for step, reason in failed.items())
    went_out = f"The forecast went out all the same: {forecast}" if forecast else "No forecast went out"
    sentence = (
        f"The night of {as_of:%Y-%m-%d}: {reasons.rstrip('.')}. {went_out}. "
        "Mend that, then `nightcast run` lives it again; the log of the run tells more."
    )
    payload = {"as_of": as_of.isoformat(), "failed": dict(failed), "forecast": forecast}
    return Event("failed", _night(f"{as_of:%Y-%m-%d}"), sentence, payload)


def of_crash(run: str, why: str) -> Event:
    """A night that was killed.

    Args:
        run: name of its flow run.
        why: what is known of it.
    """
    sentence = (
        f"{run} was killed: {why.rstrip('.')}. The next night takes its place; if that is killed as well, see whether "
        "the machine has memory enough."
    )
    payload = {"as_of": None, "failed": {NIGHTLY: why}, "forecast": None}
    return Event("failed", _night(run.removeprefix(NIGHTLY).strip()), sentence, payload)


def ingest_failed(sources: Sequence[str], why: str, as_of: pd.Timestamp) -> Event:
    """An ingest between nights that failed, of which none has told since it worked.

    Args:
        sources: those that could not be read and were not told of yet; empty: it failed whatever its sources hold.
        why: the reason, also of what failed before.
        as_of: the time it lived.
    """
    kept = " What other sources brought is kept." if sources else ""
    sentence = (
        f"The ingest of {as_of:%Y-%m-%d %H:%M} UTC failed: {why.rstrip('.')}.{kept} Every ingest tries again; "
        "none tells you of it again until it has worked. `nightcast check SOURCE` shows what a source would bring now."
    )
    payload = {"as_of": as_of.isoformat(), "sources": list(sources), "why": why}
    return Event("ingest", {"prefect.resource.id": "nightcast.ingest"}, sentence, payload)


def of_late(newest: pd.Series, now: pd.Timestamp, late_hours: float) -> list[Event]:
    """Readings that are late.

    Args:
        newest: time of the newest usable reading by station, of stations that spoke within a month.
        now: the night.
        late_hours: older than this is late.
    """
    late = newest[newest < now - pd.Timedelta(hours=late_hours)].sort_values()
    if len(newest) and late.empty:
        return []
    sentence = (
        f"{_who_is_late(late, newest, now)}; {late_hours:g} h are allowed (`notify.late_hours`). "
        "`nightcast check SOURCE` shows what a source would bring now."
    )
    payload = {
        "as_of": now.isoformat(),
        "late_hours": late_hours,
        "newest": newest.max().isoformat() if len(newest) else None,
        "stations": len(newest),
        "late": {str(station): time.isoformat() for station, time in late.items()},
    }
    return [Event("late", {"prefect.resource.id": "nightcast.readings"}, sentence, payload)]


def of_limits(expected: Sequence[Expected], standing: int, issued_at: pd.Timestamp, probability: float) -> list[Event]:
    """Limits that are expected to be passed, and were not before.

    Args:
        expected: news; the most probable first.
        standing: how many more are expected that the issue before had told of.
        issued_at: the forecast's origin.
        probability: from which on it is told.
    """
    if not expected:
        return []
    told = "; ".join(map(str, expected[:_MOST_STATIONS]))
    more = f"; and {len(expected) - _MOST_STATIONS} more" if len(expected) > _MOST_STATIONS else ""
    before = f" Told before and still expected: {standing} more." if standing else ""
    sentence = (
        f"The forecast of {issued_at:%Y-%m-%d %H:%M} UTC expects limits to be passed: {told}{more}.{before} "
        "`predictions/latest.csv` has the probability at every lead; the limits stand in data/stations.csv, and "
        f"`notify.limit_probability` ({probability:g}) says from when on you are told."
    )
    payload = {
        "issued_at": issued_at.isoformat(),
        "limit_probability": probability,
        "expected": [one.as_dict() for one in expected],
        "standing": standing,
    }
    return [Event("limit", {"prefect.resource.id": "nightcast.limits"}, sentence, payload)]


def trial() -> Event:
    """Nothing happened: somebody wants to see whether messages arrive."""
    return Event("trial", {"prefect.resource.id": "nightcast.trial"}, "nightcast can reach you. Nothing happened.", {})


def _who_is_late(late: pd.Series, newest: pd.Series, now: pd.Timestamp) -> str:
    if newest.empty:
        return "No station has had a usable reading for a month"
    if len(late) == len(newest):
        age = (now - newest.max()) / pd.Timedelta("1h")
        return f"The newest usable reading is of {newest.max():%Y-%m-%d %H:%M} UTC, {age:.0f} h before the night"
    told = ", ".join(f"{station} (since {time:%Y-%m-%d %H:%M} UTC)" for station, time in late[:_MOST_STATIONS].items())
    more = f" and {len(late) - _MOST_STATIONS} more" if len(late) > _MOST_STATIONS else ""
    return f"{len(late)} of {len(newest)} stations have no usable reading of late: {told}{more}"


def _promoted(
    version: str, before: str | None, rule: str, why: str, as_of: pd.Timestamp, who: str, forecast: str
) -> Event:
    after = f", after version {before}" if before else ""
    undo = " `nightcast rollback` puts the one before back." if before else ""
    sentence = f"Version {version} is champion now{after}: {why}.{undo}"
    payload = {"version": version, "from": before, "rule": rule, "why": why, "who": who, "as_of": as_of.isoformat()}
    return Event("promoted", {**_model(), FORECAST: forecast}, sentence, payload)


def _model() -> dict[str, str]:
    return {"prefect.resource.id": MODEL_RESOURCE, "prefect.resource.name": "nightcast"}


def _night(which: str) -> dict[str, str]:
    return {"prefect.resource.id": f"nightcast.night.{which}", "prefect.resource.name": f"the night of {which}"}


def forecast_of(night: Night) -> str | None:
    """What a night forecast, in words, if it did."""
    from flows.words import issue_in_words

    return None if night.forecast is None else issue_in_words(night.forecast)
