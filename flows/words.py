"""What happened, in words: sentences and tables for the terminal, the dashboard and machines alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from flows.findings import watch_as_data, watch_in_words
from lstm_model.readings import SAMPLE_END, FileCheck, FlagCounts, IngestReport, UpsertCounts
from lstm_model.words import count

if TYPE_CHECKING:  # taking readings in needs words, but neither torch nor MLflow, which take seconds to import
    from flows.night import Night
    from lstm_model.forecasts import Issue, Verification
    from lstm_model.network.training import Epoch
    from lstm_model.registry import Candidate, Entry, MaintenanceReport, Promotion

_ORDER = ("challenger", "champion", "ridge", "damped_anomaly", "climatology", "seasonal_naive", "persistence")
_A_DAY, _FEW_A_DAY_HOURS = 24, 6
STATION_HEADINGS = ("station", "low °C (80 %)", "high °C (80 %)", "method")
SCORE_HEADINGS = {"mae": "MAE °C", "rmse": "RMSE °C", "crps": "CRPS °C", "skill": "skill", "coverage_80": "80 % covers"}


def rows_in_words(report: IngestReport) -> str:
    """The balance of an ingest: rows in and what became of them."""
    sentence = balance_in_words(report.rows_in, report.counts, report.quarantined)
    if reasons := "; ".join(f"{number:,} × {reason}" for reason, number in report.reasons.items()):
        sentence += f" ({reasons})"
    if flags := flags_in_words(report.flags):
        sentence += f". {flags}"
    if report.nulled:
        left_out = ", ".join(f"{number:,} × {name}" for name, number in report.nulled.items())
        sentence += f". Left out of covariates as implausible: {left_out}"
    return sentence


def balance_in_words(rows_in: int, counts: UpsertCounts, quarantined: int) -> str:
    """Rows in, and the four things that became of them."""
    return (
        f"{rows_in:,} rows in = {counts.new:,} new + {counts.corrected:,} corrected + "
        f"{counts.unchanged:,} unchanged + {quarantined:,} quarantined"
    )


def flags_in_words(flags: FlagCounts, most: int = 5) -> str:
    """Doubtful readings by station, the worst first, and what found them; empty where none is doubtful."""
    worst = sorted(flags.by_station.items(), key=lambda entry: (-entry[1][1], -entry[1][0], entry[0]))
    if not worst:
        return ""
    told = [f"{station} {_doubtful(*counts)}" for station, counts in worst[:most]]
    more = f" and {len(worst) - most} more stations" if len(worst) > most else ""
    checks = ", ".join(f"{number:,} by {check}" for check, number in flags.by_check.items())
    return f"Flagged: {'; '.join(told)}{more}" + (f" ({checks})" if checks else "")


def _doubtful(suspect: int, failed: int) -> str:
    parts = [f"{number:,} {word}" for number, word in ((suspect, "suspect"), (failed, "failed")) if number]
    return " and ".join(parts)


def training_in_words(candidate: Candidate) -> str:
    """How long training took and what it reached."""
    judged = [epoch for epoch in candidate.epochs if epoch.validation_loss == epoch.validation_loss]
    span = f"{candidate.trained_from:%Y-%m-%d} … {candidate.trained_until:%Y-%m-%d}"
    if not judged:
        return f"version {candidate.version} in {candidate.seconds:.1f} s on {span}, without validation"
    kept = min(judged, key=lambda epoch: epoch.validation_loss)
    return (
        f"version {candidate.version} in {candidate.seconds:.1f} s on {span}; validation loss "
        f"{judged[0].validation_loss:.4f} (the ridge it starts from) ─► {kept.validation_loss:.4f}, "
        f"epoch {kept.epoch} of {candidate.epochs[-1].epoch}"
    )


def epochs_in_words(epoch: Epoch, best: Epoch, most: int, network: int, networks: int) -> str:
    """How far a training is: epochs done of those it may take, and the best so far."""
    which = f"network {network} of {networks}, " if networks > 1 else ""
    if math.isnan(best.validation_loss):
        return f"{which}epoch {epoch.epoch} of at most {most}, without validation"
    return (
        f"{which}epoch {epoch.epoch} of at most {most}; best validation loss so far {best.validation_loss:.4f}, "
        f"epoch {best.epoch}"
    )


def verification_in_words(report: Verification) -> str:
    """How yesterday's forecast did."""
    if report.fresh.empty:
        return f"nothing new to score; {report.waiting:,} forecasts wait for their truth"
    rows = report.fresh
    skill = 1 - rows["error_c"].abs().mean() / rows["persistence_error_c"].abs().mean()
    return (
        f"{len(rows):,} forecasts met their truth: MAE {rows['error_c'].abs().mean():.2f} °C "
        f"(persistence {rows['persistence_error_c'].abs().mean():.2f}, skill {skill:+.0%}), "
        f"{rows['covered_80'].mean():.0%} inside the 80 % interval; {report.waiting:,} wait"
    )


def decision_in_words(promotion: Promotion) -> str:
    """Who is champion now, and why."""
    verb = "promoted" if promotion.decision.promote else "not promoted"
    standing = f"champion is version {promotion.champion}" if promotion.champion else "there is no champion"
    return f"{_judged_in_words(promotion, verb, 'awaits approval')}. Now {standing}."


def _judged_in_words(promotion: Promotion, verb: str, waits: str) -> str:
    """What became of the challenger, if there is one, and why."""
    if promotion.challenger is None:
        return promotion.decision.reason
    verb = waits if promotion.awaits_approval else verb
    return f"version {promotion.challenger} {verb}: {promotion.decision.reason}"


def question_in_words(asked: Promotion, until: pd.Timestamp | None = None) -> str:
    """What a person is asked: which version, in whose place, what speaks for it, and until when.

    Args:
        asked: what the gate would promote.
        until: no answer by then is a no; None where the question stays open.
    """
    place = (
        f"take version {asked.champion}'s place as champion" if asked.champion else "become champion, where nobody is"
    )
    parts = [f"Version {asked.challenger} would {place}: {asked.decision.reason}."]
    if asked.summary is not None:
        parts.append(f"On the gate's window: {_numbers(asked.summary)}.")
    stays = f"version {asked.champion} stays" if asked.champion else "there is none still"
    if until is not None:
        parts.append(f"Without an answer by {until:%Y-%m-%d %H:%M} UTC {stays}.")
    return " ".join(parts)


def _numbers(summary: pd.DataFrame) -> str:
    """The few scores that decide, a method each."""
    told = [method for method in ("challenger", "champion", "ridge", "persistence") if method in summary.index]
    return "; ".join(
        f"{method} MAE {summary.loc[method, 'mae']:.2f} °C, 80 % covers {summary.loc[method, 'coverage_80']:.0%}"
        for method in told
    )


def rehearsal_in_words(promotion: Promotion) -> str:
    """What judging the challenger would do."""
    verb = "would be promoted" if promotion.decision.promote else "would not be promoted"
    standing = f"version {promotion.champion_before}" if promotion.champion_before else "nobody"
    judged = _judged_in_words(promotion, verb, "would await approval")
    return f"{judged}. Nothing was changed; champion is {standing}."


def rollback_in_words(entry: Entry) -> str:
    """Who is champion now, and who stands by."""
    stands_by = f"; version {entry.before} stands by as previous" if entry.before else ""
    return f"version {entry.champion} is champion now{stands_by}. The next forecast uses it."


def maintenance_in_words(report: MaintenanceReport) -> str:
    """What became of the tables' files."""
    total, kept = report.total, len(report.kept_versions)
    why = "stays because a model names it" if kept == 1 else "stay because models name them"
    return (
        f"{total.files_before:,} files became {total.files_after:,}, {total.removed:,} old ones were removed; "
        f"{count(kept, 'version')} of the readings {why}"
    )


def issue_in_words(issue: Issue) -> str:
    """How many stations were served, and by what."""
    served = count(issue.forecast["station_id"].nunique(), "station")
    methods = ", ".join(f"{n:,} by {m.replace('_', ' ')}" for m, n in issue.methods.items())
    return f"{served}, {methods}"


def night_in_words(night: Night) -> str:
    """The night in a few words: what came of it, or what kept it from that."""
    told = night_in_sentences(night)
    return " · ".join(f"{step}: {told[step].rstrip('.')}" for step in ("promote", "forecast") if step in told)


def scores_table(summary: pd.DataFrame) -> list[tuple[str, ...]]:
    """Rows of text: method and its scores, the models first."""
    known = [method for method in _ORDER if method in summary.index]
    return [
        (
            method.replace("_", " "),
            *(f"{summary.loc[method, name]:.2f}" for name in ("mae", "rmse", "crps")),
            f"{summary.loc[method, 'skill']:+.1%}",
            f"{summary.loc[method, 'coverage_80']:.0%}",
        )
        for method in known
    ]


def stations_table(issue: Issue, most: int = 12) -> list[tuple[str, ...]]:
    """Rows of text under `STATION_HEADINGS`: the low and high to come with 80 % intervals, and the method."""
    hours, rows = _hours_told(issue), []
    clock, by_days = "%H:%M", issue.forecast["lead_hours"].min() >= _A_DAY
    when = clock if hours <= _A_DAY else "%a" if by_days else f"%a {clock}"
    for station, forecast in issue.forecast.groupby("station_id", sort=True):
        near = forecast[forecast["lead_hours"] <= hours]
        low, high = near.loc[near["temperature_c"].idxmin()], near.loc[near["temperature_c"].idxmax()]
        rows.append(
            (
                str(station),
                *(
                    f"{row['temperature_c']:z.1f} ({row['q10']:z.1f} … {row['q90']:z.1f}) {row['valid_at']:{when}}"
                    for row in (low, high)
                ),
                str(near["method"].iloc[0]).replace("_", " "),
            )
        )
        if len(rows) == most:
            break
    return rows


def span_in_words(issue: Issue) -> str:
    """How far ahead `stations_table` looks: a day, or all of it where readings are few a day."""
    hours = _hours_told(issue)
    return f"{hours:g} hours" if hours <= 2 * _A_DAY else f"{hours / _A_DAY:g} days"


def _hours_told(issue: Issue) -> float:
    first, last = issue.forecast["lead_hours"].min(), issue.forecast["lead_hours"].max()
    return float(last if first > _FEW_A_DAY_HOURS else min(last, _A_DAY))


def playback_in_words(night: Night) -> str | None:
    """Says that the sample is played back, and where it stands."""
    if not night.plays_sample:
        return None
    where = f"This is 2013 being played back: New York's airports, night of {night.as_of:%Y-%m-%d}."
    if night.as_of >= SAMPLE_END:
        return f"{where} The sample ends here; nothing is new from now on. Point nightcast at your own readings."
    return f"{where} The next run lives the next day."


def night_in_sentences(night: Night) -> dict[str, str]:
    """One sentence a step, failures and skips included."""
    sentences = {step: f"FAILED: {reason}" for step, reason in night.failed.items()}
    sentences |= {step: f"skipped: {reason}" for step, reason in night.skipped.items()}
    if night.ingest is not None:
        sentences["ingest"] = rows_in_words(night.ingest)
    if night.verify is not None:
        sentences["verify"] = verification_in_words(night.verify)
    if night.monitor is not None:
        sentences["monitor"] = watch_in_words(night.monitor)
    if night.train is not None:
        sentences["train"] = training_in_words(night.train)
    if night.promote is not None:
        sentences["promote"] = decision_in_words(night.promote)
    if night.forecast is not None:
        sentences["forecast"] = issue_in_words(night.forecast)
    steps = ("ingest", "verify", "monitor", "train", "promote", "forecast", "approval", "forecast anew")
    return {step: sentences[step] for step in steps if step in sentences}


def night_as_data(night: Night) -> dict[str, Any]:
    """For machines."""
    ingest = night.ingest
    return {
        "as_of": night.as_of.isoformat(),
        "plays_sample": night.plays_sample,
        "rows": None if ingest is None else rows_as_data(ingest),
        "verified": None if night.verify is None else len(night.verify.fresh),
        "monitoring": None if night.monitor is None else watch_as_data(night.monitor),
        "trained_version": None if night.train is None else night.train.version,
        "training_seconds": None if night.train is None else round(night.train.seconds, 3),
        "promotion": None if night.promote is None else promotion_as_data(night.promote),
        "forecasts": None if night.forecast is None else night.forecast.methods,
        "seconds": {step: round(value, 3) for step, value in night.seconds.items()},
        "skipped": night.skipped,
        "failed": night.failed,
    }


def rows_as_data(report: IngestReport) -> dict[str, Any]:
    """The five numbers of an ingest, and why rows were quarantined."""
    return {
        **_balance_as_data(report.rows_in, report.counts, report.quarantined),
        "reasons": report.reasons,
        "nulled": report.nulled,
        "flagged": flags_as_data(report.flags),
        "readings_version": report.readings_version,
    }


def _balance_as_data(rows_in: int, counts: UpsertCounts, quarantined: int) -> dict[str, int]:
    return {"rows_in": rows_in, **vars(counts), "quarantined": quarantined}


def flags_as_data(flags: FlagCounts) -> dict[str, Any]:
    """Doubtful readings by station and by check."""
    by_station = {name: {"suspect": suspect, "failed": failed} for name, (suspect, failed) in flags.by_station.items()}
    return {"by_station": by_station, "by_check": flags.by_check}


def check_as_data(check: FileCheck) -> dict[str, Any]:
    """What taking a file in would do."""
    return {
        "source": check.source,
        "understood_as": check.understood_as,
        "every": check.every,
        "toml": check.toml,
        **_balance_as_data(check.rows_in, check.counts, len(check.quarantined)),
        "reasons": reasons_of(check.quarantined),
        "nulled": check.nulled,
        "flagged": flags_as_data(check.flags),
    }


def reasons_of(quarantined: pd.DataFrame) -> dict[str, int]:
    """Why rows lie in quarantine, the commonest first."""
    return {str(reason): int(number) for reason, number in quarantined["reason"].value_counts().items()}


def training_as_data(candidate: Candidate) -> dict[str, Any]:
    """The version that training brought, and its scores on the gate's window."""
    return {
        "version": candidate.version,
        "run_id": candidate.run_id,
        "trained_from": candidate.trained_from.isoformat(),
        "trained_until": candidate.trained_until.isoformat(),
        "training_seconds": round(candidate.seconds, 3),
        "epochs": candidate.epochs[-1].epoch if candidate.epochs else 0,
        "scores": candidate.summary.round(4).to_dict(orient="index"),
    }


def issue_as_data(issue: Issue) -> dict[str, Any]:
    """What went out: stations by method, how likely limits are passed, and why better methods did not serve."""
    from lstm_model.forecasts.limits import limits_of

    return {
        "issued_at": issue.forecast["issued_at"].iloc[0].isoformat(),
        "forecasts": len(issue.forecast),
        "methods": issue.methods,
        "limits": [one.as_dict() for one in limits_of(issue.forecast)],
        "faults": list(issue.faults),
    }


def verification_as_data(report: Verification) -> dict[str, int]:
    """How many forecasts met their truth now, how many in all, and how many wait for theirs."""
    return {"fresh": len(report.fresh), "scored": report.scored, "waiting": report.waiting}


def promotion_as_data(promotion: Promotion) -> dict[str, Any]:
    """The decision and its scores."""
    from lstm_model.registry.promotion_log import plain

    summary, evidence = promotion.summary, promotion.evidence
    return {
        "promoted": promotion.decision.promote,
        "awaits_approval": promotion.awaits_approval,
        "rule": promotion.decision.rule,
        "reason": promotion.decision.reason,
        "challenger": promotion.challenger,
        "champion_before": promotion.champion_before,
        "champion": promotion.champion,
        "scores": None if summary is None else plain(summary.round(4).to_dict(orient="index")),
        "evidence": None if evidence is None else plain(evidence.as_dict()),
    }
