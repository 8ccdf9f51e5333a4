"""Which request begins a sync, goes on with one, waits for it, or is served. Pure functions.

The requests of one source come one after the other, but more than once each, from several
ingestors, and in the midst of a sync's parts (docs/adr/0038).
"""

from datetime import datetime, timedelta
from enum import StrEnum

from gyre_common.events.sources import SourceChanged, SyncReason, SyncRequested

from gyre_ingestor.sources.state import SourceProgress, SyncOutcome, SyncRun

STALLED_AFTER = timedelta(minutes=15)
"""A sync that did not move for so long has lost its next part; any request begins another."""


class Turn(StrEnum):
    """What to do about a request."""

    SYNC = "sync"
    REMEMBER = "remember"
    PASS = "pass"  # noqa: S105 (no password)


def turn_for(
    request: SyncRequested, source: SourceChanged, progress: SourceProgress, at: datetime
) -> tuple[Turn, SourceProgress]:
    """What to do, and the progress to do it with."""
    run = progress.run
    if run is not None and _is_for(request, run, source):
        return Turn.SYNC, progress
    if request.part:
        return Turn.PASS, progress
    goes_on = (
        run is not None
        and run.generation == source.generation
        and at - run.touched_at < STALLED_AFTER
    )
    if goes_on and run is not None:
        if request.is_late_for(run.began_at):
            return Turn.PASS, progress
        wanted = max(request.requested_at, progress.wanted_at or request.requested_at)
        return Turn.REMEMBER, progress.model_copy(update={"wanted_at": wanted})
    last = progress.last
    same = last is not None and last.generation == source.generation
    if last is not None and same and run is None and request.is_late_for(last.began_at):
        return Turn.PASS, progress
    return Turn.SYNC, begun(progress, source, request.reason, max(at, request.requested_at))


def begun(
    progress: SourceProgress, source: SourceChanged, reason: SyncReason, at: datetime
) -> SourceProgress:
    """With a new sync; one that was under way is given up."""
    newest = progress.run or progress.last
    run = SyncRun(
        # Of its time, so that none is there twice, whatever has become of what is remembered.
        number=max(int(at.timestamp() * 1000), newest.number + 1 if newest else 0),
        generation=source.generation,
        reason=reason,
        began_at=at,
        touched_at=at,
    )
    return progress.model_copy(update={"run": run, "wanted_at": None})


def ended(
    progress: SourceProgress, run: SyncRun, outcome: SyncOutcome, error: str = ""
) -> SourceProgress:
    """With that sync as the last one."""
    return progress.model_copy(update={"run": None, "last": run.ended(outcome, error)})


def _is_for(request: SyncRequested, run: SyncRun, source: SourceChanged) -> bool:
    """Whether it is the request of the part that is due: at first, or once more."""
    if run.generation != source.generation or request.part != run.part:
        return False
    return request.part > 0 or request.is_late_for(run.began_at)
