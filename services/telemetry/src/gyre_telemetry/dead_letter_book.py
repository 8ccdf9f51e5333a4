"""Which dead letters wait for a decision, and since when: two numbers for each letter there is."""

from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from gyre_common.bus.dead_letters import Cause, read_cause
from gyre_common.bus.envelope import Headers
from gyre_common.bus.record import RawRecord

_MOST_SECONDS = 2**32 - 1


class DeadLetterLog(Protocol):
    """The topics of dead letters, and those that they came from; `tests/dead_letter_contract.py`
    says what every one promises. Raises, from every method: Unavailable.
    """

    async def all_bounds(self) -> Mapping[str, tuple[int, int]]:
        """`bounds` of every topic of dead letters, by name."""

    async def bounds(self, topic: str, partition: int = 0) -> tuple[int, int]:
        """The first offset that is there, and the next one that will be."""

    def read(
        self, topic: str, start: int, end: int, *, partition: int = 0
    ) -> AsyncIterator[Sequence[RawRecord]]:
        """The records there are from offset `start` to before `end`, in order, a few at a time.
        Read one range to its end before another.
        """

    def read_all(self, ranges: Mapping[str, tuple[int, int]]) -> AsyncIterator[Sequence[RawRecord]]:
        """As `read`, of several topics of dead letters side by side; in order topic by topic."""

    async def put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        *,
        partition: int | None = None,
    ) -> None:
        """Put bytes on a topic, and wait until they are safe. Raises RecordTooLarge too."""


class LetterTopic:
    """The letters of one topic by offset: when each was parked, in seconds, 0 where there is none;
    and how far behind it lies what was decided of it, 0 while it waits.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.waiting = 0
        self._parked = array("I")
        self._decided = array("I")
        self._first_waiting = first

    @property
    def end(self) -> int:
        """The first offset that is not in here."""
        return self.first + len(self._parked)

    def add(self, raw: RawRecord, cause: Cause | None) -> None:
        """A letter, or what somebody decided of one; in the order of their offsets."""
        gap = raw.offset - self.end
        is_letter = cause is None or cause.verdict is None
        seconds = cause.parked_at.timestamp() if cause is not None else raw.timestamp / 1000
        parked = min(max(1, int(seconds)), _MOST_SECONDS) if is_letter else 0
        self._parked.extend([0] * gap + [parked])
        self._decided.extend([0] * (gap + 1))
        if is_letter:
            self.waiting += 1
        elif cause is not None and cause.letter is not None and self.waits(cause.letter):
            self._decided[cause.letter - self.first] = min(raw.offset - cause.letter, _MOST_SECONDS)
            self.waiting -= 1

    def is_letter(self, offset: int) -> bool:
        """Whether there is one, decided or not."""
        place = offset - self.first
        return 0 <= place < len(self._parked) and self._parked[place] > 0

    def waits(self, offset: int) -> bool:
        """Whether there is a letter, and nobody has decided of it."""
        return self.is_letter(offset) and not self._decided[offset - self.first]

    def decision(self, offset: int) -> int | None:
        """The offset at which it was decided of this letter."""
        place = offset - self.first
        behind = self._decided[place] if 0 <= place < len(self._decided) else 0
        return offset + behind if behind else None

    @property
    def first_waiting(self) -> int:
        """The offset of the first letter that waits; the end where none does."""
        self._first_waiting = max(self._first_waiting, self.first)
        while self._first_waiting < self.end and not self.waits(self._first_waiting):
            self._first_waiting += 1
        return self._first_waiting

    @property
    def oldest(self) -> datetime | None:
        """When the first letter that waits was parked."""
        place = self.first_waiting - self.first
        if place == len(self._parked):
            return None
        return datetime.fromtimestamp(self._parked[place], UTC)

    def forget(self, first: int) -> None:
        """The topic begins there by now."""
        gone = min(first - self.first, len(self._parked))
        if gone <= 0:
            return
        self.waiting -= sum(self.waits(offset) for offset in range(self.first, self.first + gone))
        del self._parked[:gone]
        del self._decided[:gone]
        self.first = first


class DeadLetterBook:
    """Reads on where it stopped, each time; what it has read counts, also where it is cut short."""

    def __init__(self) -> None:
        self._topics: dict[str, LetterTopic] = {}

    @property
    def topics(self) -> Mapping[str, LetterTopic]:
        """As they were when they were read last."""
        return self._topics

    async def refresh(self, log: DeadLetterLog) -> None:
        """Read what is new on every topic. Raises as the log does."""
        bounds = await log.all_bounds()
        for name in self._topics.keys() - bounds.keys():
            del self._topics[name]
        news: dict[str, tuple[int, int]] = {}
        for name, (first, end) in bounds.items():
            topic = self._topics.get(name)
            if topic is None or end < topic.end:  # the topic was made anew
                topic = self._topics[name] = LetterTopic(first)
            topic.forget(first)
            if topic.end < end:
                news[name] = topic.end, end
        if news:
            async for records in log.read_all(news):
                for raw in records:
                    self._topics[raw.topic].add(raw, read_cause(raw.headers))
