"""The port through which the core of a service tells what happened."""

from typing import Protocol, TypeVar
from uuid import UUID

from gyre_common.events.event import Event
from gyre_common.events.topic import Topic

E = TypeVar("E", bound=Event)


class Publisher(Protocol):
    """Puts events on their topics; both the Kafka bus and the in-memory one implement it."""

    async def publish(self, topic: Topic[E], event: E, *, event_id: UUID | None = None) -> None:
        """Return once the event is safe on every in-sync replica.

        Without `event_id`, an event published inside a handler gets an id derived from the record
        being handled (a replay makes the same one); outside a handler it gets a new UUIDv7.

        Raises:
            Unavailable: Kafka did not confirm in time. The event may or may not be there; publish
                it again with the same id.
        """

    async def retire(self, topic: Topic[E], key: str) -> None:
        """Put a tombstone: compaction forgets the key. Raises as `publish` does."""
