"""Reads what the topics of a system hold of a history, and which versions could be used when."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from gyre_common.bus.topics import opened
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.events.topic import DLQ_SUFFIX

from tests.faults.harness.checker import Entry, Live
from tests.faults.harness.entries import Key, act_of, entry_of, seconds_of
from tests.faults.harness.planned_acts import TENANTS

_EMPTY_FETCHES = 20


@dataclass
class Topics:
    log: list[Entry] = field(default_factory=list)
    live: list[Live] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    parked_records: int = 0


async def read_topics(servers: str, ranks: Mapping[str, int]) -> Topics:
    topics = Topics()
    releases: list[dict[str, Any]] = []
    async for name, event_id, value in _records(servers):
        if name.endswith(DLQ_SUFFIX):
            topics.parked_records += 1
            if (act := act_of(value)) in ranks:
                topics.parked.append(act)
            continue
        if name == RELEASE_CHANGED.name:
            releases.append(value)
        act = act_of(value)
        if value.get("tenant") in TENANTS and (act or name != RELEASE_CHANGED.name):
            topics.log.append(entry_of(name, event_id, value, act, ranks))
    topics.live.extend(_live(releases))
    topics.log = [
        one for one in topics.log if one.store != RELEASE_CHANGED.name or one.act in ranks
    ]
    return topics


def _live(releases: Iterable[Mapping[str, Any]]) -> list[Live]:
    """A tenant's own state counts beside the default, which it had before."""
    states: defaultdict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for release in releases:
        if release["tenant"] in (*TENANTS, EVERY_TENANT):
            states[release["tenant"], release["role"]].append(release)
    live = []
    for (_, role), changes in states.items():
        times = [seconds_of(change["changed_at"]) for change in changes]
        for change, since, until in zip(changes, times, [*times[1:], None], strict=True):
            names = {change["live"], (change.get("canary") or {}).get("version")}
            live += [
                Live(version=f"{role}={name}", since=since, until=until) for name in names if name
            ]
    return live


async def _records(servers: str) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Topic, event id and value of every record, partition by partition, in order."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, isolation_level="read_committed")
    wanted = (INTERACTION_COMPLETED.name, FEEDBACK_RECEIVED.name, RELEASE_CHANGED.name)
    async with opened(admin, servers), opened(consumer, servers):
        names = [
            name
            for name in sorted(await admin.list_topics())
            if name in wanted or name.endswith(DLQ_SUFFIX)
        ]
        for topic in await admin.describe_topics(names):
            for number in sorted(each["partition"] for each in topic["partitions"]):
                async for record in _of_partition(consumer, TopicPartition(topic["topic"], number)):
                    headers = dict(record.headers)
                    event_id = headers.get("ce_id", b"").decode(errors="replace")
                    yield topic["topic"], event_id, _value(record.value)


async def _of_partition(consumer: AIOKafkaConsumer, place: TopicPartition) -> AsyncIterator[Any]:
    end = (await consumer.end_offsets([place]))[place]
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    empty = 0
    # A transaction's marker at the end is passed by no position.
    while await consumer.position(place) < end and empty < _EMPTY_FETCHES:
        fetched = await consumer.getmany(place, timeout_ms=500, max_records=1000)
        empty = 0 if fetched else empty + 1
        for record in fetched.get(place, ()):
            yield record


def _value(data: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
