"""How hard the delivery layer tries, how long it waits, and when it gives up."""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Settings of one process's bus; the defaults fit production. Times are in seconds.

    Attributes:
        partition_records: records of one partition that may be read and unfinished.
        partition_bytes: the same bound on the size of their values.
        read_ahead: the first of these bounds where tenants take turns; past the others, values are
            left in Kafka and read again when their turn comes.
        commit_every: pause between two commits.
        commit_limit: longest that one commit may take.
        retry_first: pause after the first `Retryable`; it doubles with each one that follows.
        retry_longest: where that pause stops growing.
        bug_tries: attempts at a record whose handler fails for no named reason.
        handler_limit: longest that one call of a handler may take; then it is tried again.
        drain_limit: longest that a partition may be kept back to finish what is in flight.
        parked_streak: dead letters in a row past which consuming stops; records from outside that
            are no events do not count.
        parked_ratio: share of the last `parked_window` records past which consuming stops.
        session: silence after which Kafka gives a consumer's partitions to another one.
        damaged_every: pause before a damaged batch, at which its partition is held, is read again.
        publish_limit: longest that a publish may wait for its confirmation.
    """

    partition_records: int = 1_000
    partition_bytes: int = 8 * 1024 * 1024
    read_ahead: int = 50_000
    commit_every: float = 1.0
    commit_limit: float = 5.0
    retry_first: float = 0.2
    retry_longest: float = 30.0
    bug_tries: int = 3
    handler_limit: float = 300.0
    drain_limit: float = 10.0
    parked_streak: int = 50
    parked_ratio: float = 0.5
    parked_window: int = 200
    session: float = 10.0
    damaged_every: float = 10.0
    publish_limit: float = 5.0


class Breaker:
    """Stops a bad deploy from draining a topic into the dead letters.

    It counts those of one subscription, in a row and among the latest records.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._most_in_a_row = delivery.parked_streak
        self._most_in_window = delivery.parked_ratio * delivery.parked_window
        self._window = delivery.parked_window
        self._reason: str | None = None
        self._streak = 0
        self._handled = 0
        self._parked_at: deque[int] = deque()

    def open(self, reason: str) -> None:
        """Object to every record until one is handled well, as it did before a restart."""
        self._reason = reason

    def handled(self, count: int) -> None:
        """So many records were handled well."""
        self._streak = 0
        self._handled += count
        if self._reason is not None:
            self._reason = None
            self._parked_at.clear()

    def objection(self) -> str | None:
        """Why one more record must not be parked; None if it may be, and then it is counted."""
        if self._reason is None:
            self._reason = self._too_many()
        if self._reason is None:
            self._streak += 1
            self._parked_at.append(self._handled)
        return self._reason

    def _too_many(self) -> str | None:
        self._handled += 1
        while self._parked_at and self._parked_at[0] <= self._handled - self._window:
            self._parked_at.popleft()
        if self._streak >= self._most_in_a_row:
            return f"{self._streak} records in a row could not be handled"
        if len(self._parked_at) >= self._most_in_window:
            return f"{len(self._parked_at)} of the last {self._window} records could not be handled"
        return None
