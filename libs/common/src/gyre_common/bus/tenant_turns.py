"""Whose record is next, where tenants take turns."""

from collections.abc import Iterable, Sequence, Set

from gyre_common.bus.partition import Partition, Pending

_MOST_TENANTS = 10_000


class TenantTurns:
    """Remembers whom it served when. Of `busy` and of `held` tenants nothing more starts."""

    def __init__(self) -> None:
        self.busy: set[bytes] = set()
        self.held: set[bytes] = set()
        self._served: dict[bytes, int] = {}
        self._count = 0

    @property
    def barred(self) -> Set[bytes]:
        """Tenants who get no turn now."""
        return self.busy | self.held if self.held else self.busy

    def take(self, partitions: Iterable[Partition]) -> Pending | None:
        """Of those whose turn it is in their partitions, the tenant who was served longest ago; of
        one tenant's records that which Kafka took first.
        """
        barred = self.barred
        startable = [partition for partition in partitions if partition.startable(barred)]
        for partition in sorted(startable, key=self._turn):
            pending = partition.take(barred)
            if pending is not None:
                self._count += 1
                if len(self._served) > _MOST_TENANTS:
                    self._served.clear()
                self._served[pending.tenant] = self._count
                return pending
        return None

    def postpone(self, pending: Pending) -> None:
        """Its tenant's others have the next turn."""
        pending.postponed_at = self._served.get(pending.tenant, 0)

    def _turn(self, partition: Partition) -> tuple[int, bool, int, float]:
        pending = partition.next_record(self.barred)
        if pending is None:
            return 0, False, 0, 0.0
        served = self._served.get(pending.tenant, 0)
        is_last = bool(served) and pending.postponed_at == served
        return served, is_last, pending.raw.timestamp, pending.arrived


def take_more_of(tenant: bytes, partitions: Sequence[Partition]) -> Pending | None:
    """Another one of that tenant, from a partition where nothing has failed."""
    for partition in sorted(partitions, key=lambda each: each.oldest_of(tenant)):
        if not partition.failures and (pending := partition.take_along(only=tenant)):
            return pending
    return None
