"""One partition's records between being read and being finished: order, watermark and gate."""

from collections import deque
from collections.abc import Iterable, Set
from itertools import chain
from math import inf

from gyre_common.bus.record import RawRecord

Tenants = Set[bytes]

NONE: Tenants = frozenset()
_LARGEST_GAP = 100


class Pending:
    """A record that was read and is not finished. Records of one `lane` go one after the other;
    those of one `tenant` start in their order. `postponed_at` is the turn of its own after which it
    waits for the next one.
    """

    __slots__ = (
        "arrived",
        "attempts",
        "bugs",
        "lane",
        "partition",
        "postponed_at",
        "raw",
        "size",
        "tenant",
    )

    def __init__(
        self,
        raw: RawRecord,
        partition: "Partition",
        lane: bytes | None,
        arrived: float,
        tenant: bytes,
    ) -> None:
        self.raw = raw
        self.partition = partition
        self.lane = lane
        self.tenant = tenant
        self.size = len(raw.value or b"") + len(raw.key or b"")
        self.arrived = arrived
        self.attempts = 0
        self.bugs = 0
        self.postponed_at = 0


class Partition:
    """The unfinished records of one partition.

    `watermark` is the offset to commit: every record below it is finished. It is None until the
    first one is. `resumed_at` was committed when the partition came. `moved_at` says when the
    watermark last moved, or had something before it again, or a record got on that takes several
    calls.

    `held` is a record that keeps the whole partition back until somebody decides.

    The gate holds the whole partition back after a `Retryable`: closed while the pause lasts,
    then one record (or batch) goes ahead as a probe, and its success opens the gate. `waits_for`
    says what it was.

    Tenants take turns, a record each.
    """

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.watermark: int | None = None
        self.committed: tuple[int, str] | None = None
        self.resumed_at: int | None = None
        self.paused = False
        self.closed = False
        self.failures = 0
        self.held: Pending | None = None
        self.too_slow = False
        self.waits_for = ""
        self.moved_at = 0.0
        self.running = 0
        self.unfinished = 0
        self.unfinished_bytes = 0
        self._queues: dict[bytes, deque[Pending]] = {}
        self._turns: deque[bytes] = deque()
        self._waiting = 0
        self._ready: deque[Pending] = deque()
        self._lanes: dict[bytes, deque[Pending] | None] = {}
        self._order: deque[int] = deque()
        self._finished: set[int] = set()
        self._newest = -1
        self._highest_taken = -1

    def add(self, raw: RawRecord, lane: bytes | None, arrived: float, tenant: bytes = b"") -> bool:
        """Take a record in. False if it was taken in before."""
        if raw.offset <= self._newest:
            return False
        self._newest = raw.offset
        if not self._order:
            self.moved_at = arrived
        self._order.append(raw.offset)
        pending = Pending(raw, self, lane, arrived, tenant)
        queue = self._queues.get(tenant)
        if queue is None:
            queue = self._queues[tenant] = deque()
            self._turns.append(tenant)
        queue.append(pending)
        self._waiting += 1
        self.unfinished += 1
        self.unfinished_bytes += pending.size
        return True

    @property
    def remembered(self) -> int:
        """Offsets from the oldest unfinished record on, those that are finished among them."""
        return len(self._order)

    @property
    def oldest_unfinished(self) -> int:
        """The offset below which all is finished, as far as records were read."""
        return self._order[0] if self._order else self._newest + 1

    def startable(self, busy: Tenants = NONE) -> int:
        """Records of others than the busy tenants that may start now, at most."""
        if self.closed or self.held or (self.failures and self.running):
            return 0
        waiting = self._waiting + len(self._ready)
        if busy:
            waiting -= sum(len(self._queues.get(tenant, ())) for tenant in busy)
            waiting -= sum(pending.tenant in busy for pending in self._ready)
        return min(1, waiting) if self.failures else waiting

    def next_record(self, busy: Tenants = NONE) -> Pending | None:
        """Of whose turn it is the first that waits."""
        waiting = chain(self._ready, (self._queues[tenant][0] for tenant in self._turns))
        return next((each for each in waiting if each.tenant not in busy), None)

    def oldest_of(self, tenant: bytes) -> float:
        """When Kafka took the first of the tenant's records that waits; infinity where there is
        none, or one that was postponed.
        """
        queue = self._queues.get(tenant)
        return queue[0].raw.timestamp if queue and not queue[0].postponed_at else inf

    def take(self, busy: Tenants = NONE) -> Pending | None:
        """The next record whose lane is free and that the gate lets through."""
        if self.closed or self.held or (self.failures and self.running):
            return None
        return self.take_along(busy)

    def take_along(self, busy: Tenants = NONE, only: bytes | None = None) -> Pending | None:
        """The next record whose lane is free, to go with one that the gate let through; with `only`
        of that tenant.
        """
        if self.held:
            return None
        if self._ready and (pending := self._next_ready(busy, only)):
            return self._start(pending)
        turns = self._turns
        for _ in range(len(turns)):
            tenant = turns[0]
            if tenant in busy or only not in (None, tenant):
                turns.rotate(-1)
                continue
            queue = self._queues[tenant]
            free = self._next_free(queue)
            if not queue:
                del self._queues[tenant]
                turns.popleft()
            elif len(turns) > 1:
                turns.rotate(-1)
            if free is not None:
                return self._start(free)
        return None

    def _next_ready(self, busy: Tenants, only: bytes | None) -> Pending | None:
        for position, pending in enumerate(self._ready):
            if pending.tenant not in busy and only in (None, pending.tenant):
                del self._ready[position]
                return pending
        return None

    def _next_free(self, queue: deque[Pending]) -> Pending | None:
        """The first one whose lane is free; those before it wait for theirs."""
        lanes = self._lanes
        while queue:
            pending = queue.popleft()
            self._waiting -= 1
            lane = pending.lane
            if lane is None:
                return pending
            if lane not in lanes:
                lanes[lane] = None
                return pending
            self._enqueue(pending, lane)
        return None

    def _enqueue(self, pending: Pending, lane: bytes) -> None:
        behind = self._lanes[lane]
        if behind is None:
            self._lanes[lane] = deque((pending,))
        else:
            behind.append(pending)

    def _start(self, pending: Pending) -> Pending:
        self.running += 1
        self._highest_taken = max(self._highest_taken, pending.raw.offset)
        return pending

    def finish(self, pending: Pending, at: float = 0.0) -> None:
        """The work on this record is done: raise the watermark as far as it goes."""
        self.running -= 1
        self.unfinished -= 1
        self.unfinished_bytes -= pending.size
        self._free(pending.lane)
        offset = pending.raw.offset
        order = self._order
        if order[0] != offset:
            self._finished.add(offset)
            return
        order.popleft()
        self.moved_at = at
        finished = self._finished
        while order and order[0] in finished:
            offset = order.popleft()
            finished.remove(offset)
        self.watermark = offset + 1

    def passed(self, position: int) -> None:
        """All below this offset was read: what was no record, as the markers of transactions,
        needs no work. Where nothing moved, what is noted beside the committed offset stays.
        """
        if self.resumed_at is None or self.unfinished:
            return
        if position > max(self.resumed_at, self.watermark or 0):
            self.watermark = position

    def _free(self, lane: bytes | None) -> None:
        if lane is None:
            return
        behind = self._lanes[lane]
        if behind:
            self._ready.append(behind.popleft())
        else:
            del self._lanes[lane]

    def put_back(self, pending: Pending) -> None:
        """The work on this record did not get done: it goes first, its lane stays taken."""
        self.running -= 1
        self._ready.appendleft(pending)

    def postpone(self, pending: Pending, behind: int, at: float, *, drop: bool) -> None:
        """The work on this record got on, and goes on behind so many others of its tenant. With
        `drop` whoever reads the partition next goes on with it.
        """
        assert pending.lane is None
        self.running -= 1
        self.moved_at = at
        if drop:
            return
        queue = self._queues.get(pending.tenant)
        if queue is None:
            queue = self._queues[pending.tenant] = deque()
            self._turns.append(pending.tenant)
        queue.insert(behind, pending)
        self._waiting += 1

    def take_back(self, pending: Pending) -> Pending:
        """A record that was put back, as one that was just taken."""
        self._ready.remove(pending)
        return self._start(pending)

    def close(self) -> bool:
        """Shut the gate after a failure. False if it was shut already."""
        if self.closed:
            return False
        self.closed = True
        self.failures += 1
        return True

    def probe(self) -> None:
        """The pause is over: let one through."""
        self.closed = False

    def open(self) -> None:
        """Work succeeds again."""
        self.failures = 0
        self.too_slow = False
        self.waits_for = ""

    def drop_unstarted_tail(self) -> None:
        """Forget records above all that was started: whoever reads them next repeats nothing.

        Behind a gate or a held record nothing is expected to succeed soon, so all that waits is
        forgotten; so it is where another tenant's record was taken far ahead of its turn.
        """
        floor = self._highest_taken
        if self.failures or self.held or floor - self.oldest_unfinished > _LARGEST_GAP:
            floor = -1

        def below_floor(pendings: Iterable[Pending]) -> deque[Pending]:
            return deque(pending for pending in pendings if pending.raw.offset < floor)

        for tenant in tuple(self._turns):
            queue = self._queues[tenant] = below_floor(self._queues[tenant])
            if not queue:
                del self._queues[tenant]
                self._turns.remove(tenant)
        self._waiting = sum(map(len, self._queues.values()))
        self._ready = below_floor(self._ready)
        for lane, behind in self._lanes.items():
            self._lanes[lane] = behind and below_floor(behind)
