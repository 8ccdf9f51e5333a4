"""The dead letters as people look at them: how many, the newest of one topic, and what is held."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from gyre_common.bus.dead_letters import DeadLetter, DeadLetterReader
from gyre_common.bus.held_records import HeldRecord
from gyre_common.errors import InvalidInput
from gyre_common.lines import has_control_characters

DEFAULT_LIMIT, LARGEST_LIMIT = 10, 1_000

OpenLetters = Callable[[], AbstractAsyncContextManager[DeadLetterReader]]
"""Raises Unavailable when Kafka does not answer."""

SkipHeld = Callable[..., Awaitable[Mapping[HeldRecord, bool]]]
"""`held_records.skip` on the Kafka of this system."""


class DeadLetterDesk:
    """Opens the topics for each question: people look rarely, and nothing stays open between."""

    def __init__(self, open_letters: OpenLetters, skip: SkipHeld) -> None:
        self._open_letters = open_letters
        self._skip = skip

    async def counts(self) -> Mapping[str, int]:
        """How many records each topic of dead letters holds."""
        async with self._open_letters() as letters:
            return await letters.counts()

    async def newest(self, topic: str, limit: int) -> Sequence[DeadLetter]:
        """Newest first; `limit` of 0 for the usual number. Raises InvalidInput; NotFound, which
        names the topics there are.
        """
        if not topic:
            raise InvalidInput("topic", "is missing", "name one that List counts")
        if not 0 <= limit <= LARGEST_LIMIT:
            raise InvalidInput("limit", f"is {limit}", f"ask for 1 to {LARGEST_LIMIT}")
        async with self._open_letters() as letters:
            return await letters.last(topic, limit or DEFAULT_LIMIT)

    async def skip(
        self, topic: str, partition: int, offset: int, *, actor: str, reason: str
    ) -> Mapping[HeldRecord, bool]:
        """Let a held partition go on; tells what was skipped, and whether its consumer has gone on.
        Raises InvalidInput where who or why is missing or is no single line.
        """
        for name, value in (("topic", topic), ("actor", actor), ("reason", reason)):
            if not value.strip() or has_control_characters(value):
                raise InvalidInput(name, "is missing or no single line", "give one line")
        return await self._skip(topic, partition, offset, actor=actor, reason=reason)
