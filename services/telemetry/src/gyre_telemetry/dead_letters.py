"""The dead letters as people look at them: how many, and the newest of one topic."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from gyre_common.bus.dlq import DeadLetter, DeadLetters
from gyre_common.errors import InvalidInput

DEFAULT_LIMIT, LARGEST_LIMIT = 10, 1_000
LONGEST_VALUE = 64 * 1024
_REPLY_BYTES = 2 * 1024 * 1024

OpenLetters = Callable[[], AbstractAsyncContextManager[DeadLetters]]
"""Raises Unavailable when Kafka does not answer."""


class DeadLetterDesk:
    """Opens the topics for each question: people look rarely, and nothing stays open between."""

    def __init__(self, open_letters: OpenLetters) -> None:
        self._open_letters = open_letters

    async def counts(self) -> Mapping[str, int]:
        """How many records each topic of dead letters holds."""
        async with self._open_letters() as letters:
            return await letters.counts()

    async def newest(self, topic: str, limit: int) -> Sequence[DeadLetter]:
        """Newest first; `limit` of 0 for the usual number.

        Raises:
            InvalidInput: the topic is missing, or the limit cannot work.
            NotFound: names the topics there are.
        """
        if not topic:
            raise InvalidInput("topic", "is missing", "name one that List counts")
        if not 0 <= limit <= LARGEST_LIMIT:
            raise InvalidInput("limit", f"is {limit}", f"ask for 1 to {LARGEST_LIMIT}")
        async with self._open_letters() as letters:
            return await letters.last(topic, limit or DEFAULT_LIMIT)


def bytes_shown(letters: int) -> int:
    """How much of each record fits into one reply."""
    return min(LONGEST_VALUE, _REPLY_BYTES // max(letters, 1))
