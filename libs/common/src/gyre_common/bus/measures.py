"""What a subscription counts.

Counts are gathered here and published once a second, and of many calls a second only the first
ones are timed: at 100,000 records a second, the locks of a metric cost as much as the work.
"""

from contextlib import suppress

from gyre_common.telemetry import METRICS

_TIMED_EACH_SECOND = 200


class Measures:
    """The counts of one subscription since they were last published.

    `consumed` counts records that were read, `retried` attempts that failed and will be made again.
    """

    def __init__(self, topic: str, group: str) -> None:
        self._consumed_total = METRICS.records_consumed.labels(topic, group)
        self._handled_total = METRICS.records_handled.labels(topic, group)
        self._retried_total = METRICS.records_retried.labels(topic, group)
        self._in_flight = METRICS.records_in_flight.labels(topic, group)
        self.problem = METRICS.consumer_problem.labels(topic, group)
        self.lag = METRICS.consumer_lag.labels(topic, group)
        self.tenants_held = METRICS.tenants_held.labels(topic, group)
        self.stalled_seconds = METRICS.consumer_stalled_seconds.labels(topic, group)
        self._seconds = METRICS.record_handle_seconds.labels(topic, group)
        self._labels = (topic, group)
        self.consumed = 0
        self._handled = 0
        self.retried = 0
        self._timed = 0

    def handled(self, count: int, seconds: float) -> None:
        """A call of the handler, with so many records, went well."""
        self._handled += count
        if self._timed < _TIMED_EACH_SECOND:
            self._timed += 1
            self._seconds.observe(seconds)

    def parked(self, cause: str) -> None:
        """A record went to the dead letters."""
        METRICS.records_parked.labels(*self._labels, cause).inc()

    def partition_held(self, topic: str, partition: int, offset: int) -> None:
        """A partition does not go on at this record."""
        METRICS.partition_held_offset.labels(topic, self._labels[1], str(partition)).set(offset)

    def released(self, topic: str, partition: int) -> None:
        """It goes on, or somewhere else."""
        with suppress(KeyError):
            METRICS.partition_held_offset.remove(topic, self._labels[1], str(partition))

    def publish(self, in_flight: int) -> None:
        """Move the counts to the process's metrics."""
        self._consumed_total.inc(self.consumed)
        self._handled_total.inc(self._handled)
        self._retried_total.inc(self.retried)
        self._in_flight.set(in_flight)
        self.consumed = self._handled = self.retried = self._timed = 0
