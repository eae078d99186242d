"""The flow that takes readings in."""

from __future__ import annotations

from prefect import flow

from flows.artifacts import leave_page
from flows.broken import failure_told
from flows.clock import present, wall_clock
from flows.events import NIGHTLY
from flows.intake import ingest_page
from flows.naming import named
from flows.outcome import told
from flows.parameters import Text
from flows.telling import bring_what_waits
from flows.words import rows_in_words
from lstm_model.readings import IngestReport, ingest
from lstm_model.workspace import Workspace


@flow(
    name="ingest",
    description="Take in what the sources hold: new, corrected, unchanged or quarantined, never lost.",
    flow_run_name=named("ingest"),
)
@told(rows_in_words)
def ingest_flow(as_of: Text = None, source: Text = None, who: Text = None) -> IngestReport:
    """Take readings in.

    Args:
        as_of: the time to live, such as 2013-12-20T23:00Z; the present when empty.
        source: only this source; all of them when empty.
        who: who asks; nightly tells by itself what failed.
    """
    workspace = Workspace.find()
    bring_what_waits(workspace)  # here, for this comes every hour and with every night
    now = present(workspace, as_of)
    with failure_told(workspace, source or None, now, by_night=who == NIGHTLY):
        report = ingest(workspace, now, wall_clock(), [source] if source else None)
    if report.rows_in:  # every hour there is a run; a page that says nothing would hide those that do
        leave_page("ingest", lambda: ingest_page(report), f"Taken in at {now:%Y-%m-%d %H:%M} UTC")
    return report
