"""Reads the head records of documents from Elasticsearch; the embedder writes them."""

from collections.abc import Sequence
from typing import Any

from elasticsearch import AsyncElasticsearch, NotFoundError
from gyre_common.document_index import (
    DOCUMENTS_INDEX,
    DocumentRecord,
    DocumentState,
    record_key,
)
from gyre_common.elasticsearch import elasticsearch_errors

_SECONDS = 5.0


class ElasticsearchDocuments:
    """The `DocumentLookup` of a running system."""

    def __init__(self, client: AsyncElasticsearch, *, index: str = DOCUMENTS_INDEX) -> None:
        self._client = client.options(request_timeout=_SECONDS)
        self._index = index

    async def get(self, tenant: str, document_id: str) -> DocumentRecord | None:
        """See `DocumentLookup`; reads what was written last, refreshed or not."""
        with elasticsearch_errors():
            try:
                reply = await self._client.get(
                    index=self._index, id=record_key(tenant, document_id)
                )
            except NotFoundError:  # the record, or the index before the first document
                return None
        return DocumentRecord.model_validate(reply["_source"])

    async def page(
        self, tenant: str, groups: Sequence[str], *, after: str, limit: int
    ) -> Sequence[DocumentRecord]:
        """See `DocumentLookup`."""
        with elasticsearch_errors():
            try:
                reply = await self._client.search(
                    index=self._index,
                    query=_readable(tenant, groups),
                    sort=[{"document_id": "asc"}],
                    search_after=[after],
                    size=limit,
                    track_total_hits=False,
                )
            except NotFoundError:
                return ()
        return [DocumentRecord.model_validate(hit["_source"]) for hit in reply["hits"]["hits"]]


def _readable(tenant: str, groups: Sequence[str]) -> dict[str, Any]:
    public = {"bool": {"must_not": {"exists": {"field": "acl"}}}}
    shared = {"terms": {"acl": list(groups)}}
    return {
        "bool": {
            "filter": [
                {"term": {"tenant": tenant}},
                {"bool": {"should": [public, shared], "minimum_should_match": 1}},
            ],
            "must_not": {"term": {"state": DocumentState.DELETED}},
        }
    }
