"""One whole night: ingest, verify, monitor, train, promote, forecast. Whatever fails, the forecast goes out."""

from __future__ import annotations

from prefect import flow

from flows.approval import ask_for_approval
from flows.artifacts import leave_page
from flows.clock import mark_lived, night_to_live, present, wall_clock
from flows.events import COMING, NIGHTLY, forecast_of, night_failed, of_night
from flows.forecast import forecast_flow
from flows.ingest import ingest_flow
from flows.late import late_readings
from flows.monitor import watch_over
from flows.naming import named
from flows.night import Night, Skipped
from flows.one_night import note_night, one_night
from flows.outcome import told
from flows.pages import night_page
from flows.parameters import Text
from flows.promote import promote_flow
from flows.reporting import leave_report
from flows.steps import lived
from flows.telling import announce
from flows.train import train_flow
from flows.verify import verify_flow
from flows.words import night_in_words
from lstm_model.errors import NightFailed, in_words
from lstm_model.registry import Promotion
from lstm_model.workspace import Workspace


@flow(
    name="nightly",
    description="One whole night: ingest, verify, monitor, train, promote, forecast.",
    flow_run_name=named("nightly", night_to_live),
)
@told(night_in_words)
def nightly_flow(as_of: Text = None) -> Night | Skipped:
    """Live one night; skipped while another one is under way in this workspace.

    Args:
        as_of: the night to live, such as 2013-12-20T23:00Z; the sample's next night or the present when empty.

    Raises:
        NightFailed: a step failed; carries the night as `night`. Every other step was done all the same.
    """
    workspace = Workspace.find()
    with one_night(workspace.state) as why_not:
        if why_not is not None:
            return Skipped(why_not)
        now = night_to_live(workspace, as_of)
        night = Night(now, workspace.settings.plays_sample)
        try:
            note_night(workspace.state, now, wall_clock())
            _live(workspace, night)
        except Exception as error:  # no step's, which fails by itself: a full disk, perhaps
            night.failed[NIGHTLY] = in_words(error)
            announce(workspace, *of_night(night))
            raise
        leave_report(workspace, night)
    leave_page("night", lambda: night_page(night, workspace.settings.server), f"The night of {now:%Y-%m-%d}")
    announce(workspace, *of_night(night))
    if night.promote is not None and night.promote.awaits_approval:
        _ask(workspace, night, night.promote, as_of)
    if night.failed:
        raise NightFailed(night)
    return night


def _live(workspace: Workspace, night: Night) -> None:
    now, moment = night.as_of, night.as_of.isoformat()
    night.ingest = night.live("ingest", lambda: lived(ingest_flow)(moment, None, NIGHTLY))
    announce(workspace, *late_readings(workspace, now))
    night.verify = night.live("verify", lambda: lived(verify_flow)(moment))
    night.monitor = night.live("monitor", lambda: watch_over(workspace, now))
    night.train = night.live("train", lambda: lived(train_flow)(moment))
    if night.train is not None:
        night.promote = night.live("promote", lambda: lived(promote_flow)(moment, NIGHTLY))
    night.forecast = night.live("forecast", lambda: lived(forecast_flow)(moment, None, NIGHTLY))
    mark_lived(workspace, now, night.failed)


def _ask(workspace: Workspace, night: Night, asked: Promotion, as_of: str | None) -> None:
    """Let a person decide; after a yes, forecast anew.

    The night was lived by now, holds no lock, and its forecast is out: a kill costs the question and nothing else.
    """
    failed = dict(night.failed)
    night.promote = night.live("approval", lambda: ask_for_approval(workspace, asked, as_of, COMING)) or asked
    if night.promote.decision.promote:
        anew = night.live("forecast anew", lambda: lived(forecast_flow)(as_of, None, NIGHTLY))
        night.forecast = anew or night.forecast
    if not night.promote.awaits_approval:  # the page says that somebody has to answer
        leave_report(workspace, night, present(workspace, as_of))
    leave_page("night", lambda: night_page(night, workspace.settings.server), f"The night of {night.as_of:%Y-%m-%d}")
    if news := {step: why for step, why in night.failed.items() if step not in failed}:
        announce(workspace, night_failed(night.as_of, news, forecast_of(night)))
