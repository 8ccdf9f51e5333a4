"""Where documents are fetched from: what is configured, and when it is to be looked at again."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from gyre_common.events.event import AccessGroup, Event, Text, Timestamp
from gyre_common.events.topic import DAY_MS, Topic

SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Lower-case letters, digits and dashes; at most 63 characters. Unique within a tenant."""


class SourceEvent(Event):
    """A fact about a source."""

    name: SourceName


def by_source(event: SourceEvent) -> str:
    """One source, one partition: what concerns it happens in order."""
    return f"{event.tenant}/{event.name}"


class SourceChanged(SourceEvent):
    """A source as it stands after a change; the newest generation stands. Compacted.

    `settings` are those of its kind, as text; secrets are named in them, never written. A source
    that is `removed` is on its way out: once its documents are gone, or left where
    `keeps_documents` says so, a tombstone follows.
    """

    kind: str
    settings: dict[str, Text] = Field(default_factory=dict)
    schedule: str = ""
    acl: tuple[AccessGroup, ...] = ()
    paused: bool = False
    removed: bool = False
    keeps_documents: bool = False
    generation: int = Field(ge=1)
    actor: str = ""
    changed_at: Timestamp


class SyncReason(StrEnum):
    """Why a source is looked at again."""

    TRIGGERED = "triggered"
    SCHEDULED = "scheduled"
    WATCHED = "watched"
    CHANGED = "changed"
    CONTINUED = "continued"


class SyncRequested(SourceEvent):
    """A source is to be synced; a sync that began at `requested_at` or later has served this.

    A sync goes on in parts, so that none holds its partition for long: part 0 begins one, and each
    part requests the next (docs/adr/0038).
    """

    generation: int = Field(ge=1)
    reason: SyncReason
    requested_at: Timestamp
    part: int = Field(default=0, ge=0)

    def is_late_for(self, began: datetime | None) -> bool:
        """Whether a sync that began then has seen all that this one should."""
        return began is not None and self.requested_at <= began


SOURCE_CHANGED = Topic(
    "sources.changed.v1",
    SourceChanged,
    key=by_source,
    summary="The sources that documents are fetched from, as configured.",
    compacted=True,
    partitions=1,
)
SYNC_REQUESTED = Topic(
    "syncs.requested.v1",
    SyncRequested,
    key=by_source,
    summary="Sources to be looked at again, by schedule, by hand or because a folder changed.",
    retention_ms=7 * DAY_MS,
)
