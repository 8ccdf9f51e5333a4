"""Passages that were cut anew since people judged them: found again by their words."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import ScanError, async_scan
from gyre_common.elasticsearch import elasticsearch_errors
from gyre_common.errors import Unavailable
from gyre_common.near_duplicates import Triple, word_triples
from gyre_common.redaction import redact

from gyre_trainer.data_sets.frozen import DataSetRow, FrozenDataSet, ShownRow
from gyre_trainer.segments import Segments
from gyre_trainer.segments.window import window_from_text

LEAST_OVERLAP = 0.5
"""The share of the word triples of the shorter of two passages that must stand in the other."""

_PER_REQUEST = 500
_TIMEOUT = 30.0

Moved = Mapping[str, str]
"""The passage that stands for another one now, by ids of chunks."""


@dataclass(frozen=True)
class JudgedPassage:
    """A passage as it was shown."""

    tenant: str
    document_id: str
    text: str


async def judged_passages(
    frozen: FrozenDataSet, segments: Segments, chunk_ids: Collection[str]
) -> dict[str, JudgedPassage]:
    """By chunk id, as far as their texts are kept. Raises Retryable: the store is away."""
    digests: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    window = window_from_text(frozen.card["window"])
    async for facts in segments.interactions(window, frozen.tenant):
        for fact in facts:
            for shown in fact.shown:
                if shown.text and shown.chunk_id in chunk_ids:
                    place = (shown.document_id, shown.text)
                    digests[fact.tenant].setdefault(shown.chunk_id, place)
    judged = {}
    for tenant, of_tenant in digests.items():
        texts = await segments.passages.get(tenant, {digest for _, digest in of_tenant.values()})
        for chunk_id, (document_id, digest) in of_tenant.items():
            if digest in texts:
                judged[chunk_id] = JudgedPassage(tenant, document_id, texts[digest])
    return judged


async def missing_of(
    client: AsyncElasticsearch, index: str, chunk_ids: Collection[str]
) -> frozenset[str]:
    """Those that no search of the index can match: what is encoded ahead has no tenant yet. Raises
    Retryable: it is away.
    """
    missing: set[str] = set()
    ordered = sorted(chunk_ids)
    for first in range(0, len(ordered), _PER_REQUEST):
        page = ordered[first : first + _PER_REQUEST]
        with elasticsearch_errors():
            reply = await client.mget(index=index, ids=page, source_includes=["tenant"])
        missing |= {each["_id"] for each in reply["docs"] if not each.get("_source")}
    return frozenset(missing)


async def moved_to(
    client: AsyncElasticsearch, index: str, gone: Mapping[str, JudgedPassage]
) -> Moved:
    """The passages of the same documents that hold most of the words of those that are gone; those
    that nothing stands for are left out. Raises Retryable: the index is away.
    """
    passages: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    documents = sorted({each.document_id for each in gone.values()})
    for first in range(0, len(documents), _PER_REQUEST):
        names = documents[first : first + _PER_REQUEST]
        query: dict[str, Any] = {
            "query": {"terms": {"document_id": names}},
            "_source": ["tenant", "document_id", "chunk_id", "text"],
        }
        try:
            with elasticsearch_errors():
                async for hit in async_scan(client, query, index=index, request_timeout=_TIMEOUT):
                    source = hit["_source"]
                    place = (source["tenant"], source["document_id"])
                    text = redact(source["text"], source["tenant"])
                    passages[place].append((source["chunk_id"], text))
        except ScanError as error:
            raise Unavailable(f"a part of the index {index} does not answer") from error
    moved = {
        chunk_id: best_of(judged.text, passages[judged.tenant, judged.document_id])
        for chunk_id, judged in gone.items()
    }
    return {chunk_id: best for chunk_id, best in moved.items() if best}


def best_of(text: str, passages: Iterable[tuple[str, str]]) -> str:
    """The id of the passage that shares most word triples with the text, and enough; else empty."""
    wanted = _triples(text)
    best, most = "", 0
    for chunk_id, other in sorted(passages):
        words = _triples(other)
        shared = len(wanted & words)
        if shared > most and shared >= LEAST_OVERLAP * min(len(wanted), len(words)):
            best, most = chunk_id, shared
    return best


def with_moved(rows: Iterable[DataSetRow], moved: Moved) -> Iterator[DataSetRow]:
    """The rows as if what was shown had been cut as it is now. Of several passages that are one
    now, the label is the mean of theirs.
    """
    for row in rows:
        if any(one.chunk_id in moved for one in row.shown):
            yield row.model_copy(update={"shown": _joined(row.shown, moved)})
        else:
            yield row


def _joined(shown: Sequence[ShownRow], moved: Moved) -> tuple[ShownRow, ...]:
    by_id: dict[str, list[ShownRow]] = defaultdict(list)
    for one in shown:
        chunk_id = moved.get(one.chunk_id, one.chunk_id)
        by_id[chunk_id].append(one.model_copy(update={"chunk_id": chunk_id}))
    joined = []
    for same in by_id.values():
        labelled = [one for one in same if one.label is not None]
        first = labelled[0] if labelled else same[0]
        label = sum(one.label or 0 for one in labelled) / len(labelled) if labelled else None
        joined.append(first.model_copy(update={"label": label}))
    return tuple(joined)


def moved_note(moved: int, lost: int) -> str:
    """What to say of passages that people judged and that were cut anew; nothing of none."""
    if not moved:
        return ""
    share = moved / (moved + lost)
    return (
        f"{moved:,} of {moved + lost:,} judged passages that are not in the index any more "
        f"({share:.0%}) were found again by their words, as they are cut now"
    )


def _triples(text: str) -> frozenset[Triple]:
    return frozenset(word_triples(text.casefold().split()))
