"""Which submission of a document came last, whichever partition its producer put it on."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

Groups = tuple[str, ...]
"""Access groups: of a document those that may read it, all of its tenant where there are none."""


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


class Turn(StrEnum):
    """What a submission's place among those of its document comes to."""

    TAKEN = "taken"
    OVERTAKEN = "overtaken"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True)
class LastSubmission:
    """What is remembered of a document: the place of its last submission, if any, and who may read
    it; None where nothing is known of that.
    """

    place: SubmissionPlace | None = None
    acl: Groups | None = None

    def turn_of(self, place: SubmissionPlace, writer: Groups | None) -> Turn:
        """Of a submission by somebody in these groups; None stands for who may write everything."""
        if self.place is not None and place.is_before(self.place):
            return Turn.OVERTAKEN
        if place == self.place or writer is None or not self.acl:
            return Turn.TAKEN
        return Turn.FORBIDDEN if set(self.acl).isdisjoint(writer) else Turn.TAKEN


class SubmissionOrder(Protocol):
    """Remembers the last submission of each document, and who may read what it left.

    A document that was deleted still belongs to those who could read it.

    Raises, from every method: Retryable when its store is out of reach, or others keep writing.
    """

    async def last(self, tenant: str, document_id: str) -> LastSubmission:
        """What is remembered."""

    async def advance(
        self,
        tenant: str,
        document_id: str,
        place: SubmissionPlace,
        *,
        acl: Groups | None,
        writer: Groups | None,
    ) -> Turn:
        """Remember the place as the document's last, and its groups (None: those of before), where
        it is its turn, as `LastSubmission.turn_of` says. The same place may come again.
        """
