"""Syncs sources part by part: what is new or changed is submitted, what is gone is deleted."""

import asyncio
import logging
from datetime import timedelta

from gyre_common.errors import GyreError, Retryable
from gyre_common.events.event import now
from gyre_common.events.publisher import Publisher
from gyre_common.events.sources import (
    SOURCE_CHANGED,
    SYNC_REQUESTED,
    SourceChanged,
    SyncReason,
    SyncRequested,
    by_source,
)

from gyre_ingestor.sources.opening import SourceOpener
from gyre_ingestor.sources.part import SyncPart
from gyre_ingestor.sources.sending import Door
from gyre_ingestor.sources.state import (
    SourceKey,
    SourceProgress,
    SourceStates,
    SyncOutcome,
    SyncRun,
)
from gyre_ingestor.sources.turns import Turn, ended, turn_for
from gyre_ingestor.sources.view import SourceView, sync_request

log = logging.getLogger(__name__)

PART_SECONDS = 15.0
_LONGEST_PART = 200.0
"""Below what a handler may take: a source that does not answer is told so, not tried again."""
_HEARS_LATE = timedelta(minutes=1)


class SourceSyncer:
    """Does what requests for syncs ask for."""

    def __init__(
        self,
        *,
        view: SourceView,
        states: SourceStates,
        opener: SourceOpener,
        door: Door,
        publisher: Publisher,
        part_seconds: float = PART_SECONDS,
    ) -> None:
        self._view = view
        self._states = states
        self._opener = opener
        self._door = door
        self._publisher = publisher
        self._part_seconds = part_seconds

    async def sync(self, request: SyncRequested) -> None:
        """Do one part, and ask for the next.

        Raises Retryable: the store or Kafka is out of reach, or the source is not known here yet.
        """
        key = SourceKey.of(request)
        source = self._view.get(key)
        if source is None or source.generation < request.generation:
            gone = self._view.is_gone(key, request.generation)
            if not gone and now() - request.requested_at < _HEARS_LATE:
                raise Retryable(f"source {request.name} has not come in here yet")
            log.info("request of a source that is gone", extra={"source": request.name})
            return
        turn, progress = turn_for(request, source, await self._states.progress(key), now())
        if turn is Turn.PASS:
            return
        if turn is Turn.REMEMBER:
            await self._states.save_progress(key, progress)
            return
        if progress.run is None:
            return
        if source.paused and not source.removed:
            stopped = ended(progress, progress.run, SyncOutcome.STOPPED, "it was paused")
            await self._states.save_progress(key, stopped)
            return
        await self._states.save_progress(key, progress)
        await self._part(key, source, progress, progress.run)

    async def _part(
        self, key: SourceKey, source: SourceChanged, progress: SourceProgress, run: SyncRun
    ) -> None:
        items = await self._states.items(key)
        part = SyncPart(source, run, items, self._door, seconds=self._part_seconds)
        saving = _Saving(self._states, key, part, progress)
        error = ""
        try:
            async with asyncio.timeout(_LONGEST_PART):
                finished = await self._work(source, part, saving)
        except TimeoutError:
            finished = True
            error = f"no answer within {_LONGEST_PART:.0f} s: look whether the place is well"
        except Retryable:
            await saving.save()
            raise
        except GyreError as failure:
            finished, error = True, str(failure)
        except Exception as failure:  # a kind's library may raise anything: its own source is told
            log.exception("sync broke", extra={"source": source.name})
            finished, error = True, f"unexpected {type(failure).__name__}: see the ingestor's log"
        await saving.save()
        progress = saving.progress
        if not finished:
            await self._go_on(key, source, progress, part.run)
        elif source.removed and not error:
            await self._forget(key, source)
        else:
            await self._end(key, source, progress, part, error)

    async def _work(self, source: SourceChanged, part: SyncPart, saving: "_Saving") -> bool:
        if source.removed:
            return await part.delete_all(saving.save_sometimes)
        opened = self._opener.open(source)
        return await part.visit(opened, saving.save_sometimes)

    async def _go_on(
        self, key: SourceKey, source: SourceChanged, progress: SourceProgress, run: SyncRun
    ) -> None:
        """Ask first, then remember: what is asked for twice is done once."""
        next_run = run.model_copy(update={"part": run.part + 1, "touched_at": now()})
        await self._request(source, SyncReason.CONTINUED, part=next_run.part)
        await self._states.save_progress(key, progress.model_copy(update={"run": next_run}))

    async def _end(
        self,
        key: SourceKey,
        source: SourceChanged,
        progress: SourceProgress,
        part: SyncPart,
        error: str,
    ) -> None:
        if error:
            outcome = SyncOutcome.FAILED
        else:
            outcome, error = part.outcome
        progress = ended(progress, part.run, outcome, error)
        log.info(
            "source synced",
            extra={"source": source.name, "outcome": outcome, **part.run.counts.model_dump()},
        )
        if progress.wanted_at is not None:  # what was asked for meanwhile may have come too late
            await self._request(source, SyncReason.TRIGGERED, part=0)
        await self._states.save_progress(key, progress.model_copy(update={"wanted_at": None}))

    async def _forget(self, key: SourceKey, source: SourceChanged) -> None:
        await self._states.delete(key)
        await self._publisher.retire(SOURCE_CHANGED, by_source(source))
        self._view.retire(by_source(source))
        log.info("source removed", extra={"source": source.name})

    async def _request(self, source: SourceChanged, reason: SyncReason, *, part: int) -> None:
        request = sync_request(source, reason, now(), part=part)
        await self._publisher.publish(SYNC_REQUESTED, request)


class _Saving:
    """Saves what a part has done, more rarely the longer it takes."""

    _EVERY, _TIMES_AS_LONG = 5.0, 20.0

    def __init__(
        self, states: SourceStates, key: SourceKey, part: SyncPart, progress: SourceProgress
    ) -> None:
        self.progress = progress
        self._states = states
        self._key = key
        self._part = part
        self._clock = asyncio.get_running_loop().time
        self._due = self._clock() + self._EVERY

    async def save_sometimes(self) -> None:
        await asyncio.sleep(
            0
        )  # what did not change is passed without a wait, for thousands of items
        if self._clock() >= self._due:
            began = self._clock()
            await self.save()
            took = self._clock() - began
            self._due = self._clock() + max(self._EVERY, self._TIMES_AS_LONG * took)

    async def save(self) -> None:
        run = self._part.run.model_copy(update={"touched_at": now()})
        updated = {"run": run, "documents": self._part.documents}
        self.progress = self.progress.model_copy(update=updated)
        await self._states.save_items(self._key, self._part.items)
        await self._states.save_progress(self._key, self.progress)
