"""The search index on Elasticsearch, as the retriever reads it."""

from collections.abc import Mapping, Sequence
from typing import Any

from elasticsearch import AsyncElasticsearch
from gyre_common.chunk_index import VECTOR, IndexedChunk, groups_of, metadata_term, readers
from gyre_common.elasticsearch import elasticsearch_errors, error_of
from gyre_common.errors import GyreError
from gyre_common.fusion import BM25, DENSE

from gyre_retriever.lexical import PassageCounts, words_query
from gyre_retriever.ports import DocumentsRequest, Hit, SearchRequest, SearchResult
from gyre_retriever.query import Filters

Body = Mapping[str, Any]

# Metadata only serves to filter, and is not read back.
_SOURCE_FIELDS = sorted(IndexedChunk.model_fields.keys() - {"metadata"})
_NEIGHBOURS_PER_CANDIDATE = 2
_MOST_LANGUAGES = 200

# Without this, equal scores come as the index happens to be merged, and so does who is left out.
_ORDER = [{"_score": "desc"}, {"chunk_id": "asc"}]


class ElasticsearchSearch:
    """Implements `SearchIndex`: one `_msearch`, once the index told which languages it holds."""

    def __init__(self, client: AsyncElasticsearch, *, seconds: float) -> None:
        self._client = client.options(request_timeout=seconds)

    async def search(self, search: SearchRequest) -> SearchResult:
        """See `SearchIndex`."""
        legs = _legs(search, await self._passage_counts(search.index))
        searches = [line for leg in legs.values() for line in ({"index": search.index}, leg)]
        with elasticsearch_errors():
            reply = await self._client.msearch(searches=searches)
        answers = dict(zip(legs, reply["responses"], strict=True))
        problems = {leg: _error(answer) for leg, answer in answers.items() if "error" in answer}
        if len(problems) == len(answers):
            raise problems[BM25]
        return SearchResult(
            legs={leg: _hits(leg, answers[leg]) for leg in legs if leg not in problems},
            problems={leg: str(error) for leg, error in problems.items()},
        )

    async def _passage_counts(self, index: str) -> PassageCounts:
        """Elasticsearch remembers this until the index changes. What is encoded ahead is not in it:
        it has no tenant yet.
        """
        by_language = {"terms": {"field": "language", "size": _MOST_LANGUAGES}}
        with elasticsearch_errors():
            reply = await self._client.search(
                index=index,
                query={"exists": {"field": "tenant"}},
                size=0,
                track_total_hits=True,
                aggs={"languages": by_language},
            )
        buckets = reply["aggregations"]["languages"]["buckets"]
        by_name = {bucket["key"]: bucket["doc_count"] for bucket in buckets}
        return PassageCounts(reply["hits"]["total"]["value"], by_name)

    async def readable(self, request: DocumentsRequest) -> Mapping[str, tuple[str, ...]]:
        """See `SearchIndex`. One passage a document comes back."""
        allowed = _filter(request.tenant, request.groups, request.filters)
        allowed.append({"terms": {"document_id": list(request.document_ids)}})
        with elasticsearch_errors():
            reply = await self._client.search(
                index=request.index,
                query={"bool": {"filter": allowed}},
                collapse={"field": "document_id"},
                size=len(request.document_ids),
                source_includes=["document_id", "acl"],
                track_total_hits=False,
            )
        sources = (hit["_source"] for hit in reply["hits"]["hits"])
        return {source["document_id"]: groups_of(source["acl"]) for source in sources}


def _legs(search: SearchRequest, counts: PassageCounts) -> dict[str, Body]:
    allowed = _filter(search.tenant, search.groups, search.filters)
    shape = {"size": search.candidates, "_source": _SOURCE_FIELDS, "track_total_hits": False}
    lexical = {"bool": {"must": words_query(search, counts), "filter": allowed}}
    legs: dict[str, Body] = {BM25: {**shape, "query": lexical, "sort": _ORDER}}
    if search.vector is not None:
        near = {
            "field": VECTOR,
            "query_vector": search.vector,
            "k": search.candidates,
            "num_candidates": search.candidates * _NEIGHBOURS_PER_CANDIDATE,
            "filter": allowed,
            # The index finds neighbours by vectors of 8 bits, whose scores change with every merge
            # and are far off in a small segment: those found are scored by their own vectors.
            "rescore_vector": {"oversample": _NEIGHBOURS_PER_CANDIDATE},
        }
        legs[DENSE] = {**shape, "knn": near}
    return legs


def _filter(tenant: str, groups: Sequence[str], filters: Filters) -> list[Body]:
    """Tenant, groups and filters, for inside the query: what is not allowed is no candidate."""
    allowed: list[Body] = [
        {"term": {"tenant": tenant}},
        {"terms": {"acl": readers(groups)}},
    ]
    if filters.document_ids:
        allowed.append({"terms": {"document_id": list(filters.document_ids)}})
    if filters.media_types:
        allowed.append({"terms": {"media_type": list(filters.media_types)}})
    if filters.languages:
        allowed.append({"terms": {"language": list(filters.languages)}})
    metadata_terms = [metadata_term(key, value) for key, value in filters.metadata.items()]
    return allowed + [{"term": {"metadata": term}} for term in metadata_terms]


def _hits(leg: str, answer: Body) -> list[Hit]:
    score = _cosine if leg == DENSE else float
    return [Hit(_chunk(hit["_source"]), score(hit["_score"])) for hit in answer["hits"]["hits"]]


def _chunk(source: Body) -> IndexedChunk:
    return IndexedChunk.model_validate({**source, "acl": groups_of(source["acl"])})


def _cosine(score: float) -> float:
    """Elasticsearch keeps scores positive: `(1 + dot product) / 2` for unit vectors."""
    return 2 * score - 1


def _error(answer: Body) -> GyreError:
    return error_of(int(answer["status"]), str(answer["error"].get("type")))
