"""How an index is filled anew from the accepted documents."""

from uuid import UUID

from pydantic import Field

from gyre_common.events.event import EVERY_TENANT, Event, TenantOrEvery, Timestamp, Version
from gyre_common.events.topic import Topic


class IndexRebuildProgressed(Event):
    """So far the accepted documents of one partition have been read again for a version of the
    document encoder: offsets below `next_offset`, of those below `until_offset`, which was the end
    when the rebuild began. `generation` is that of the release which made the version the shadow;
    `skipped_count` says how many documents could not be read again.
    """

    tenant: TenantOrEvery = EVERY_TENANT
    rebuild_id: UUID
    version: Version
    generation: int = Field(ge=0)
    partitions: int = Field(ge=1)
    partition: int = Field(ge=0)
    first_offset: int = Field(ge=0)
    next_offset: int = Field(ge=0)
    until_offset: int = Field(ge=0)
    document_count: int = Field(default=0, ge=0)
    skipped_count: int = Field(default=0, ge=0)
    progressed_at: Timestamp

    @property
    def finished(self) -> bool:
        """Whether all was read."""
        return self.next_offset >= self.until_offset


def by_partition(event: IndexRebuildProgressed) -> str:
    """The latest word on each partition is kept, rebuild by rebuild."""
    return f"{event.tenant}/{event.rebuild_id}/{event.partition}"


INDEX_REBUILD_PROGRESSED = Topic(
    "index-rebuilds.progressed.v1",
    IndexRebuildProgressed,
    key=by_partition,
    summary="How far the accepted documents were read again, to fill an index beside the live one.",
    compacted=True,
)
