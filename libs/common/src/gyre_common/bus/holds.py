"""What does not go on until a person decides: partitions, and tenants where they take turns."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gyre_common.bus.breaker import Scope
from gyre_common.bus.measures import Measures
from gyre_common.bus.partition import Partition, Pending
from gyre_common.bus.tenant_turns import TenantTurns

log = logging.getLogger(__name__)

MOST_TENANTS = 8
"""Tenants that may be held at once: where more fail, it is not they who are broken. Their records
stand beside a committed offset, where Kafka takes 4 KiB.
"""


@dataclass(frozen=True, eq=False)
class Held:
    """A record at which its partition does not go on, or with a tenant's breaker that tenant.

    `breaker`: whose breaker is open, if one is.
    """

    pending: Pending
    cause: str
    breaker: Scope | None = None

    @property
    def tenant(self) -> bytes | None:
        """Who alone is held; None where the whole partition is."""
        return self.pending.tenant if self.breaker is Scope.TENANT else None

    def __str__(self) -> str:
        raw = self.pending.raw
        place, offset = f"{raw.topic} partition {raw.partition}", f"at offset {raw.offset}"
        if self.tenant is not None:
            name = self.tenant.decode(errors="backslashreplace")
            place, offset = f"tenant {name} on {place}", f"{offset} while the others go on"
        return (
            f"{place} is held {offset}: {self.cause}; mend the cause and restart the service, or "
            f"pass over the record: gyre dlq skip {raw.topic} {raw.partition} {raw.offset}"
        )


class Holds:
    """Of one subscription, whose `partitions` these are and whose tenants take these turns."""

    def __init__(
        self,
        partitions: Sequence[Partition],
        tenants: TenantTurns,
        measures: Measures,
        announce: Callable[[Held], None],
    ) -> None:
        self._partitions = partitions
        self._tenants = tenants
        self._measures = measures
        self._announce = announce
        self._of_partitions: dict[int, Held] = {}
        self._of_tenants: dict[bytes, Held] = {}

    def __iter__(self) -> Iterator[Held]:
        yield from self._of_partitions.values()
        yield from self._of_tenants.values()

    def __len__(self) -> int:
        return len(self._of_partitions) + len(self._of_tenants)

    def has_room_for(self, tenant: bytes) -> bool:
        """Whether this tenant may be held beside those that are."""
        return tenant in self._of_tenants or len(self._of_tenants) < MOST_TENANTS

    def keep_back(self, pending: Pending) -> bool:
        """Whether the record waits behind one that is held."""
        return pending.partition.held is not None or pending.tenant in self._of_tenants

    def hold(self, held: Held) -> None:
        """Put the record back: nothing starts behind it. Of several, the first one is held."""
        pending, place = held.pending, held.pending.partition
        place.put_back(pending)
        if held.tenant is None:
            before = self._of_partitions.get(id(place))
        else:
            before = self._of_tenants.get(held.tenant)
        if before is not None and (
            before.pending.partition is not place or before.pending.raw.offset < pending.raw.offset
        ):
            return
        if held.tenant is None:
            self._of_partitions[id(place)] = held
            place.held = pending
            self._measures.partition_held(place.topic, place.number, pending.raw.offset)
        else:
            self._of_tenants[held.tenant] = held
            self._tenants.held.add(held.tenant)
            self._measures.tenants_held.set(len(self._of_tenants))
        raw = pending.raw
        log.error(
            "held: mend the cause and restart the service, or `gyre dlq skip` the record",
            extra={
                "topic": raw.topic,
                "partition": raw.partition,
                "offset": raw.offset,
                "tenant": (held.tenant or b"").decode(errors="backslashreplace"),
                "held_for": held.breaker or "",
                "cause": held.cause,
            },
        )
        self._announce(held)

    def release(self, held: Held) -> Pending | None:
        """The record, as one that was just taken; None if it is held no more."""
        place = held.pending.partition
        if held.tenant is None:
            if self._of_partitions.get(id(place)) is not held:
                return None
            del self._of_partitions[id(place)]
            place.held = None
            self._measures.released(place.topic, place.number)
        else:
            if self._of_tenants.get(held.tenant) is not held:
                return None
            del self._of_tenants[held.tenant]
            self._tenants.held.discard(held.tenant)
            self._measures.tenants_held.set(len(self._of_tenants))
        return place.take_back(held.pending)

    def release_tenants(self, partition: Partition) -> None:
        """Whoever is held at a record of this partition, which is read again."""
        for held in [*self._of_tenants.values()]:
            if held.pending.partition is partition:
                self.release(held)

    def forget(self) -> None:
        """The partitions went elsewhere."""
        for held in self._of_partitions.values():
            self._measures.released(held.pending.partition.topic, held.pending.partition.number)
        self._of_partitions.clear()
        self._of_tenants.clear()
        self._tenants.held.clear()
        self._measures.tenants_held.set(0)

    @property
    def problems(self) -> list[str]:
        """Partitions that do not go on."""
        return [str(held) for held in self._of_partitions.values()]

    @property
    def troubles(self) -> list[str]:
        """Tenants who do not go on while others do."""
        return [str(held) for held in self._of_tenants.values()]
