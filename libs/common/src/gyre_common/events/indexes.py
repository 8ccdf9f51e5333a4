"""How an index is filled anew from the accepted documents."""

from uuid import UUID

from pydantic import Field

from gyre_common.events.event import EVERY_TENANT, Event, TenantOrEvery, Timestamp
from gyre_common.events.topic import Topic


class IndexRebuildProgressed(Event):
    """So far the accepted documents of one partition have been read again: offsets below
    `next_offset`, of those below `until_offset`, which was the end when the rebuild began.
    """

    tenant: TenantOrEvery = EVERY_TENANT
    rebuild_id: UUID
    partition: int = Field(ge=0)
    first_offset: int = Field(ge=0)
    next_offset: int = Field(ge=0)
    until_offset: int = Field(ge=0)
    document_count: int = Field(default=0, ge=0)
    progressed_at: Timestamp

    @property
    def finished(self) -> bool:
        """Whether all was read."""
        return self.next_offset >= self.until_offset


def by_partition(event: IndexRebuildProgressed) -> str:
    """The latest word on each partition is kept."""
    return f"{event.tenant}/{event.partition}"


INDEX_REBUILD_PROGRESSED = Topic(
    "index-rebuilds.progressed.v1",
    IndexRebuildProgressed,
    key=by_partition,
    summary="How far the accepted documents were read again, to fill an index beside the live one.",
    compacted=True,
)
