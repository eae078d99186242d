"""Who follows whom: one change of champion at a time, and none left half done.

MLflow moves one alias at a time and never compares before it sets. So whoever moves aliases holds the lease; a change
is decided by its line in the promotion log; and the aliases are set from that line, again if need be. The name of
the last entry whose aliases are in place is a tag of the registered model.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout
from mlflow import MlflowClient

from lstm_model.errors import NightcastError
from lstm_model.evaluation import Decision
from lstm_model.evaluation.gate import CHALLENGER, CHAMPION
from lstm_model.registry.approval import AWAITING, AWAITING_APPROVAL, standing_decision
from lstm_model.registry.card import write_card
from lstm_model.registry.promotion_log import DEMOTE, IN_PLACE, PROMOTE, ROLLBACK, Entry, PromotionLog, plain
from lstm_model.registry.tracking import MODEL, open_tracking, takes_notes
from lstm_model.registry.versions import Version, list_versions
from lstm_model.workspace import Workspace

PREVIOUS = "previous"
PATIENCE = 120.0  # seconds that training waits for a promotion to end
DEMOTED = "demoted"

log = logging.getLogger("nightcast.promote")


@contextmanager
def lease(workspace: Workspace, patience: float = 0.0) -> Iterator[None]:
    """Be the only one who moves aliases in this workspace; a lease dies with its process.

    Args:
        workspace: whose aliases.
        patience: seconds to wait for another one to end.

    Raises:
        NightcastError: another promotion is under way.
    """
    workspace.state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(workspace.state / "promotion.lock", timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise NightcastError(
            "another promotion is under way in this workspace; wait for it to end, then run again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def change_champion(client: MlflowClient, promotions: PromotionLog, entry: Entry) -> None:
    """Take a decision: its line in the log first, which is the decision, then what follows from it."""
    promotions.append(entry)
    carry_out(client, entry)


def finish_promotion(workspace: Workspace) -> None:
    """Finish what the log's last entry says, if a kill came in between; a promotion under way is waited for."""
    promotions = PromotionLog(workspace)
    if promotions.last() is None:
        return
    client = open_tracking(workspace)
    with lease(workspace, PATIENCE):
        finish(client, promotions)


def finish(client: MlflowClient, promotions: PromotionLog) -> Entry | None:
    """The same for one who holds the lease; returns the entry that was finished now.

    What cannot be finished is settled as well, or it would be once its version's number is given again.
    """
    last = promotions.last()
    if last is None or client.get_registered_model(MODEL).tags.get(IN_PLACE) == last.name:
        return None
    entry = unfinished(client, promotions)
    if entry is None:
        client.set_registered_model_tag(MODEL, IN_PLACE, last.name)
        return None
    comes = "nobody" if entry.champion is None else f"version {entry.champion}"
    log.warning("finishing an interrupted %s: %s becomes champion", entry.action, comes)
    carry_out(client, entry)
    return entry


def unfinished(client: MlflowClient, promotions: PromotionLog) -> Entry | None:
    """The log's last entry, if its aliases are not in place yet and its version is still there.

    Where the entry in place is missing from the log and would come last, lines of the log were lost or changed: that
    brings no earlier champion back. Names of entries begin with their time, and sort by it.
    """
    entries, in_place = promotions.entries(), client.get_registered_model(MODEL).tags.get(IN_PLACE)
    if not entries or in_place == entries[-1].name:
        return None
    entry = entries[-1]
    if in_place is not None and in_place > entry.name and in_place not in {known.name for known in entries}:
        log.warning("the promotion log has lost its line %r; aliases stay as they are", in_place)
        return None
    if entry.champion is None or entry.champion in {version.version for version in list_versions(client)}:
        return entry
    log.warning("version %s, champion by the promotion log, is gone; aliases stay as they are", entry.champion)
    return None


def carry_out(client: MlflowClient, entry: Entry) -> None:
    """Bring tags and aliases where an entry says; twice equals once.

    `champion` moves first: at every instant it points to a version that was tried, and `previous` is another one but
    for the moment in which a rollback swaps the two.
    """
    versions = {version.version for version in list_versions(client)}
    if entry.action == PROMOTE and entry.champion is not None:
        tag_decision(client, entry.champion, Decision(True, entry.rule, entry.why), entry.evidence)
    elif entry.action == DEMOTE and entry.before in versions:
        tag_decision(client, entry.before, Decision(False, entry.rule, entry.why), entry.evidence, DEMOTED)
    elif entry.action == ROLLBACK and entry.champion is not None:
        standing = standing_decision(client, entry.champion)
        if standing is not None and standing.rule in (AWAITING_APPROVAL, entry.rule):  # nobody is asked any more
            tag_decision(client, entry.champion, Decision(True, entry.rule, entry.why), entry.evidence)
    before = standing_aliases(client)
    after = aliases_after(entry, before)
    if after.get(PREVIOUS) not in versions:
        after.pop(PREVIOUS, None)
    for alias in (CHAMPION, PREVIOUS, CHALLENGER):
        if alias not in after and alias in before:
            client.delete_registered_model_alias(MODEL, alias)
        elif after.get(alias) != before.get(alias):
            client.set_registered_model_alias(MODEL, alias, after[alias])
    client.set_registered_model_tag(MODEL, IN_PLACE, entry.name)


def standing_aliases(client: MlflowClient) -> dict[str, str]:
    """Every alias and the version that it points to."""
    return {alias: str(version) for alias, version in client.get_registered_model(MODEL).aliases.items()}


def aliases_after(entry: Entry, aliases: Mapping[str, str]) -> dict[str, str]:
    """The aliases that an entry leaves behind; the version that was champion stands by, and nobody has two.

    One that was demoted does not stand by: only a person puts it back.

    >>> night = pd.Timestamp("2024-03-20T00:00Z")
    >>> entry = Entry(night, night, "nightly", "promote", "1", "2", "refresh", "fresh beats stale")
    >>> aliases_after(entry, {"champion": "1", "challenger": "2"})
    {'champion': '2', 'previous': '1'}
    """
    after = {**aliases, CHAMPION: entry.champion}
    if entry.action == DEMOTE:
        after.pop(PREVIOUS, None)
    elif entry.before is not None:
        after[PREVIOUS] = entry.before
    taken = {PREVIOUS: (entry.champion,), CHALLENGER: (entry.champion, entry.before)}
    return {
        alias: version
        for alias, version in after.items()
        if version is not None and version not in taken.get(alias, ())
    }


def champion_since(promotions: PromotionLog, champion: Version) -> pd.Timestamp:
    """The night that a champion's age counts from: its training's, or the one in which it was put back."""
    last = promotions.last()
    if last is None or (last.action, last.champion) != (ROLLBACK, champion.version):
        return champion.lived_at
    return max(champion.lived_at, last.as_of)


def settled_later(promotions: PromotionLog, champion: Version | None, now: pd.Timestamp) -> str | None:
    """Why a night lived again moves no alias: what happened to the champion after it; None where nothing did."""
    last, told = promotions.last(), None
    if champion is not None and (since := champion_since(promotions, champion)) > now:
        told = f"the champion was {'trained' if since == champion.lived_at else 'put back'} on {since:%Y-%m-%d}"
    elif last is not None and last.as_of > now:
        told = f"the champion was changed on {last.as_of:%Y-%m-%d}"
    return None if told is None else f"{told}, after the night being lived again; aliases stay as they are"


def tag_decision(
    client: MlflowClient,
    version: str,
    decision: Decision,
    evidence: Mapping[str, Any] | None,
    told: str | None = None,
) -> None:
    """Write decision, reason and numbers onto the version and onto its run; without numbers, those there stand.

    `told` names the decision otherwise than promoted or refused. The rule comes after the reason, and `decision` last:
    by those two others see that a version is settled, so that what a kill cuts off is done again.
    """
    if decision.rule == AWAITING_APPROVAL:
        told = AWAITING
    tags = {} if evidence is None else {"evidence": json.dumps(plain(evidence), default=str)[:5000]}
    tags |= {
        "reason": decision.reason,
        "rule": decision.rule,
        "decision": told or ("promoted" if decision.promote else "refused"),
    }
    run_id = client.get_model_version(MODEL, version).run_id
    noted = takes_notes(client, run_id)
    for name, value in tags.items():
        client.set_model_version_tag(MODEL, version, name, value)
        if noted:
            client.set_tag(run_id, name, value)
    write_card(client, version)
