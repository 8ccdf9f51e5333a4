"""Which submission of a document came last, whichever partition its producer put it on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class SubmissionPlace:
    """Where a submission stands on its topic, and when the broker took it."""

    partition: int
    offset: int
    taken_at: datetime

    def is_before(self, other: "SubmissionPlace") -> bool:
        """On one partition it comes before the other by its offset, unless the topic was made anew
        since, so that its time is later; on another one by its time, to a millisecond.
        """
        if self.partition != other.partition:
            return self.taken_at < other.taken_at
        return self.offset < other.offset and self.taken_at <= other.taken_at


class SubmissionOrder(Protocol):
    """Remembers the last submission of each document.

    Raises, from every method: Retryable when its store is out of reach, or others keep writing.
    """

    async def is_overtaken(self, tenant: str, document_id: str, place: SubmissionPlace) -> bool:
        """Whether a later one is remembered."""

    async def advance(self, tenant: str, document_id: str, place: SubmissionPlace) -> bool:
        """Remember the place as the document's last, unless one that it is before is remembered:
        then False. The same place may come again.
        """
