"""Counts the dead letters that wait, for metrics, and says where one has waited for too long."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from gyre_common.errors import GyreError
from gyre_common.events.event import now
from gyre_common.telemetry.metrics import METRICS

from gyre_telemetry.dead_letters import WaitingLetters

log = logging.getLogger(__name__)

_EVERY = 15.0


class Desk(Protocol):
    """Of `DeadLetterDesk`."""

    async def waiting(self) -> Sequence[WaitingLetters]:
        """Of every topic of dead letters. Raises GyreError."""


class DeadLetterWatch:
    """`troubles` are those of the last look; the service serves all the same."""

    def __init__(self, desk: Desk, *, bound: timedelta) -> None:
        self._desk = desk
        self._bound = bound
        self._troubles: Sequence[str] = ()

    async def run(self) -> None:
        """Look four times a minute, until cancelled."""
        while True:
            try:
                await self.look()
            except GyreError as error:
                log.warning("dead letters not counted", extra={"cause": str(error)})
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Once. Raises as the desk does."""
        troubles = []
        for topic in await self._desk.waiting():
            age = now() - topic.oldest if topic.oldest is not None else timedelta()
            METRICS.dead_letters_waiting.labels(topic.topic).set(topic.count)
            METRICS.dead_letter_age_seconds.labels(topic.topic).set(max(0, age.total_seconds()))
            if age > self._bound:
                troubles.append(
                    f"{topic.count} dead letters of {topic.topic} wait, the oldest since "
                    f"{topic.oldest:%Y-%m-%d %H:%M}: see `gyre dlq show`, then replay or drop them"
                )
        self._troubles = tuple(troubles)

    def troubles(self) -> Sequence[str]:
        """A line for each topic with a letter older than the bound."""
        return self._troubles
