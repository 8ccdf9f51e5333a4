"""How hard the delivery layer tries, how long it waits, and when it gives up."""

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
        stuck_share: share of `handler_limit` after which a call is logged with its stack.
        drain_limit: longest that a partition may be kept back to finish what is in flight.
        parked_streak: dead letters in a row past which their tenant is held, their partition where
            tenants take no turns, or everybody where several of them fail; records from outside
            that are no events do not count.
        parked_ratio: the same as a share of the last `parked_window` records.
        session: silence after which Kafka gives a consumer's partitions to another one.
        damaged_every: pause before a damaged batch, at which its partition is held, is read again.
        static_session: the same where the consumer has a name that it has again after a restart.
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
    stuck_share: float = 0.2
    drain_limit: float = 10.0
    parked_streak: int = 50
    parked_ratio: float = 0.5
    parked_window: int = 200
    session: float = 10.0
    damaged_every: float = 10.0
    static_session: float = 60.0
    publish_limit: float = 5.0
