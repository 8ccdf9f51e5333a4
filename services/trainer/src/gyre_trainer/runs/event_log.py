"""Tells what happens to runs: to the topics first, then to the book and whoever watches."""

import asyncio
import logging
from collections.abc import AsyncIterator
from uuid import UUID

from gyre_common.errors import Retryable
from gyre_common.events.event import new_id
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import ReleaseChanged
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_PROGRESSED,
    TRAINING_STARTED,
    TrainingEvent,
    TrainingFinished,
    TrainingProgressed,
    TrainingStarted,
)
from gyre_common.retrying import retry

from gyre_trainer.runs.book import Run, RunBook

log = logging.getLogger(__name__)


class RunEventLog:
    """The only writer of training.* events, and of the book, which hears of releases through it."""

    def __init__(self, book: RunBook, publisher: Publisher) -> None:
        self._book = book
        self._publisher = publisher
        self._changed = asyncio.Event()

    async def record_started(self, event: TrainingStarted) -> None:
        """Raises Unavailable when Kafka does not confirm: then the run has not begun."""
        await self._publisher.publish(TRAINING_STARTED, event)
        self._note(event)

    async def record_progress(self, event: TrainingProgressed) -> None:
        """Progress that Kafka does not take is not worth a run: it is told to those who watch."""
        try:
            await self._publisher.publish(TRAINING_PROGRESSED, event)
        except Retryable as error:
            log.warning("progress not published", extra={"cause": str(error)})
        self._note(event)

    async def record_finished(self, event: TrainingFinished) -> None:
        """Returns once it is safe on the topic, however long that takes."""
        event_id = new_id()
        await retry(
            lambda: self._publisher.publish(TRAINING_FINISHED, event, event_id=event_id),
            Retryable,
            first=0.5,
            longest=10.0,
            on_pause=lambda error, _: log.warning(
                "a run's end waits for Kafka", extra={"cause": str(error)}
            ),
        )
        self._note(event)

    def record_release_change(self, event: ReleaseChanged) -> None:
        """Let those who watch a run see what its verdict came to."""
        self._note(event)

    async def watch(self, run_id: UUID, tenant: str) -> AsyncIterator[Run]:
        """The run as it is, then after each change, until it has ended. Raises NotFound."""
        last_sent: Run | None = None
        while True:
            changed = self._changed
            run = self._book.run(run_id, tenant)
            if run != last_sent:
                yield run
                last_sent = run
            if not run.is_running:
                return
            await changed.wait()

    def _note(self, event: TrainingEvent | ReleaseChanged) -> None:
        self._book.apply([event])
        self._changed.set()
        self._changed = asyncio.Event()
