"""When sources are due by their cron expressions, and who asks for their syncs then."""

import logging
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError
from gyre_common.errors import InvalidInput, Retryable
from gyre_common.events.event import now
from gyre_common.events.publisher import Publisher
from gyre_common.events.sources import SYNC_REQUESTED, SourceChanged, SyncReason

from gyre_ingestor.sources.state import SourceKey, SourceStates
from gyre_ingestor.sources.turns import STALLED_AFTER
from gyre_ingestor.sources.view import SourceView, sync_request

log = logging.getLogger(__name__)

_FIELDS = 5
_LONGEST_WAIT = 300.0
_PAUSE_AFTER_FAILURE = 5.0


def next_time(expression: str, after: datetime) -> datetime:
    """The first moment after this one, in UTC, that a cron expression of five fields names.

    Raises InvalidInput: it is none, or names no moment that comes.
    """
    fix = "write minute, hour, day, month and weekday, such as '0 3 * * *' for every night at three"
    if len(expression.split()) != _FIELDS:
        problem = f"is {expression!r}, which has {len(expression.split())} fields and not {_FIELDS}"
        raise InvalidInput("schedule", problem, fix)
    try:
        return next(CronSim(expression, after.astimezone(UTC)))
    except CronSimError as error:
        raise InvalidInput("schedule", f"is {expression!r} ({error})", fix) from error
    except StopIteration as error:
        raise InvalidInput("schedule", f"is {expression!r}, which never comes", fix) from error


def next_sync_at(source: SourceChanged, after: datetime) -> datetime | None:
    """By its schedule; None where it has none, or none that counts or can be read."""
    if not source.schedule or source.paused or source.removed:
        return None
    try:
        return next_time(source.schedule, after)
    except InvalidInput:  # others may write the topic, and a later version may know more
        return None


class SourceClock:
    """Asks for a sync of each source when it is due; one that was missed is made up for once.

    Every ingestor does so: the moments are the same for all, and a sync that began by then serves
    them all (`SyncRequested.is_late_for`).
    """

    def __init__(self, view: SourceView, states: SourceStates, publisher: Publisher) -> None:
        self._view = view
        self._states = states
        self._publisher = publisher
        self._due: dict[SourceKey, tuple[int, datetime]] = {}

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        while True:
            version = self._view.version
            try:
                await self.request_due()
                pause = self._seconds_until_due()
            except Retryable as error:
                log.warning("schedules wait", extra={"cause": str(error)})
                pause = _PAUSE_AFTER_FAILURE
            await self._view.changed_since(version, within=pause)

    async def request_due(self) -> None:
        """Raises Retryable: Kafka or the store is out of reach; what is left is due still."""
        scheduled = {
            SourceKey.of(each): each
            for each in self._view.sources
            if next_sync_at(each, now()) is not None
        }
        self._due = {key: due for key, due in self._due.items() if key in scheduled}
        for key, source in scheduled.items():
            generation, due = self._due.get(key, (0, None))
            if due is None or generation != source.generation:
                due = next_time(source.schedule, await self._last_time(key, source))
            if due <= now():
                request = sync_request(source, SyncReason.SCHEDULED, due)
                await self._publisher.publish(SYNC_REQUESTED, request)
                due = next_time(source.schedule, now())
            self._due[key] = (source.generation, due)
        await self._request_stalled()

    async def _request_stalled(self) -> None:
        """Of a sync that lost its next part, what was asked for meanwhile would wait for ever."""
        for source in self._view.sources:
            run = (await self._states.progress(SourceKey.of(source))).run
            if run is not None and not source.paused and now() - run.touched_at >= STALLED_AFTER:
                request = sync_request(source, SyncReason.TRIGGERED, now())
                await self._publisher.publish(SYNC_REQUESTED, request)

    async def _last_time(self, key: SourceKey, source: SourceChanged) -> datetime:
        progress = await self._states.progress(key)
        return max(source.changed_at, progress.began_at or source.changed_at)

    def _seconds_until_due(self) -> float:
        soonest = min((due for _, due in self._due.values()), default=None)
        if soonest is None:
            return _LONGEST_WAIT
        return min(_LONGEST_WAIT, max(0.0, (soonest - now()).total_seconds()))
