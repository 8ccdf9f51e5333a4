"""Reads what the stores of a system hold of a history, for the checker."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from elasticsearch.helpers import async_scan
from gyre_common.document_index import DOCUMENTS_INDEX
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.events.event import EVERY_TENANT
from gyre_common.releases.builtin import CHUNK_INDEX
from gyre_common.store import Shelf
from gyre_local.secrets import ELASTICSEARCH_PASSWORD, Secret
from gyre_trainer.segments import FOLDER, Segments

from tests.faults.harness.checker import Commit, Entry, Holdings, Live, Verdict, judge
from tests.faults.harness.entries import CHUNKS, STORES, Key
from tests.faults.harness.history import Act, Kind
from tests.faults.harness.own_system import OwnSystem
from tests.faults.harness.planned_acts import TENANTS
from tests.faults.harness.table_contents import read_tables
from tests.faults.harness.topic_contents import read_topics


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What lies in the stores.

    Attributes:
        log: what the topics hold, partition by partition, and the accepted documents by revision.
        rows: what can be read in ClickHouse and the index.
        documents: the digest that the record of each document shows, "" of a deleted one.
        chunks: the act whose text each document's passage has.
        words: the latest word of every voter on everything.
        live: when each version could be used.
        facts: votes in the trainer's segments, as often as they are there.
        parked: acts in the dead letters; `parked_records` is how many records lie there.
    """

    log: Sequence[Entry]
    rows: Sequence[Entry]
    documents: Mapping[Key, str]
    chunks: Mapping[Key, str]
    words: Mapping[Key, str]
    live: Sequence[Live]
    facts: Sequence[str]
    parked: Sequence[str]
    parked_records: int


def judged(history: Sequence[Act], contents: Contents, commits: Sequence[Commit]) -> Verdict:
    """The verdict on everything: on the stores, on the passages, and on the latest words."""
    values = {act.id: act.value for act in history}
    main = Holdings(
        log=contents.log,
        rows=contents.rows,
        latest=contents.documents,
        commits=commits,
        live=contents.live,
        facts=contents.facts,
        parked=contents.parked,
        stores=STORES,
    )
    passages = {key: values.get(act, act) for key, act in contents.chunks.items()}
    votes = [replace(act, kind=Kind.SUBMIT) for act in history if act.kind is Kind.VOTE]
    verdict = judge(history, main)
    for acts, latest in ((history, passages), (votes, contents.words)):
        beside = judge(acts, Holdings(latest=latest))
        for name, lines in beside.broken.items():
            getattr(verdict, name).extend(lines)
    return verdict


async def read_contents(system: OwnSystem, history: Sequence[Act]) -> Contents:
    """All that the system holds of these acts. It must be settled."""
    ranks = {act.id: number for number, act in enumerate(history)}
    topics = await read_topics(system.ports.kafka_servers, ranks)
    tables = await read_tables(system.ports.clickhouse, history)
    documents, chunks, passages = await _read_index(system)
    return Contents(
        log=[*topics.log, *tables.log],
        rows=[*tables.rows, *passages],
        documents=documents,
        chunks=chunks,
        words=tables.words,
        live=topics.live,
        facts=[fact async for fact in _facts(system)],
        parked=topics.parked,
        parked_records=topics.parked_records,
    )


async def _read_index(
    system: OwnSystem,
) -> tuple[dict[Key, str], dict[Key, str], list[Entry]]:
    """What each document's record shows, the act behind its passage, and all passages."""
    login = "elastic", Secret.of(system.home, ELASTICSEARCH_PASSWORD).read()
    only = {"query": {"terms": {"tenant": list(TENANTS)}}}
    documents: dict[Key, str] = {}
    chunks: dict[Key, str] = {}
    passages = []
    async with open_elasticsearch(system.ports.elasticsearch_url, login) as client:
        await client.indices.refresh(index=f"{DOCUMENTS_INDEX},{CHUNK_INDEX}")
        async for hit in async_scan(client, index=DOCUMENTS_INDEX, query=only):
            source = hit["_source"]
            shown = source["content_digest"] if source["state"] == "indexed" else ""
            documents[source["tenant"], source["document_id"]] = shown or ""
        async for hit in async_scan(client, index=CHUNK_INDEX, query=only):
            source = hit["_source"]
            terms = source.get("metadata", ())
            act = next((one.removeprefix("act=") for one in terms if one.startswith("act=")), "")
            key = source["tenant"], source["document_id"]
            chunks[key] = act
            passages.append(
                Entry(
                    store=CHUNKS,
                    kind=Kind.SUBMIT,
                    tenant=key[0],
                    key=key[1],
                    act=act,
                    id=hit["_id"],
                )
            )
    return documents, chunks, passages


async def _facts(system: OwnSystem) -> AsyncIterator[str]:
    """The act behind every vote that training can learn from."""
    segments = Segments(Shelf(f"file://{system.home}/store", FOLDER))
    async for facts in segments.facts(await segments.durable(), EVERY_TENANT):
        for vote in facts.feedback:
            yield vote.comment
