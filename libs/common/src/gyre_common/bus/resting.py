"""Lets a consumer that has nothing to do ask Kafka seldom, without learning of a record later.

The broker answers a fetch as soon as there is a record, however long the fetch may wait. A long
wait costs where partitions are paused: one that is resumed is fetched only once the fetch that runs
for the others has ended. So the wait is long only while nothing is paused or under way, and short
from the first record on, before the next fetch is sent (docs/adr/0019).
"""

from aiokafka import AIOKafkaConsumer

FETCH_WAIT_MS = 200
IDLE_WAIT_MS = 10_000


def rest(consumer: AIOKafkaConsumer, *, idle: bool) -> None:
    """Say how long the fetches that follow may wait. aiokafka has no public way to change it."""
    fetcher = consumer._fetcher
    wait = IDLE_WAIT_MS if idle else FETCH_WAIT_MS
    fetcher._fetch_max_wait_ms = wait
    fetcher._fetcher_timeout = wait / 1_000
