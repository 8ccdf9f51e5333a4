"""Reads the head records of documents from Elasticsearch; the embedder writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from elasticsearch import AsyncElasticsearch
from gyre_common.document_index import DOCUMENTS_INDEX, DocumentRecord, DocumentState, record_key
from gyre_common.elasticsearch import elasticsearch_errors, error_of

from gyre_ingestor.duplicates import MOST_DUPLICATES, Duplicate, duplicates_among

_SECONDS = 5.0
_LOOKED_AT = 2 * MOST_DUPLICATES  # some share a band by chance
_COMPARED = [
    *("tenant", "document_id", "state", "title", "revision", "content_digest", "sketch"),
    *("timeline.state", "timeline.submission_id", "timeline.revision"),
    *("timeline.submitted_at", "timeline.happened_at"),
]


class ElasticsearchDocuments:
    """The head records of documents; before the first one there is no index.

    Raises, from every method: Unavailable when Elasticsearch is out of reach.
    """

    def __init__(self, client: AsyncElasticsearch, *, index: str = DOCUMENTS_INDEX) -> None:
        self._client = client.options(request_timeout=_SECONDS)
        self._index = index

    async def get(self, tenant: str, document_id: str) -> DocumentRecord | None:
        """What was written last, refreshed or not; None where nothing ever happened to it."""
        client = self._client.options(ignore_status=404)
        with elasticsearch_errors():
            reply = await client.get(index=self._index, id=record_key(tenant, document_id))
        return DocumentRecord.model_validate(reply["_source"]) if reply.body.get("found") else None

    async def page(
        self,
        tenant: str,
        groups: Sequence[str],
        *,
        search: str = "",
        state: DocumentState | None = None,
        document_ids: Sequence[str] = (),
        language: str = "",
        only_screened: bool = False,
        after: str,
        limit: int,
    ) -> Sequence[DocumentRecord]:
        """Documents that a caller with these access groups may read, by document_id past `after`.

        The first page holds what was written before it was asked for: a document that is searchable
        or gone is listed so.

        With `search` those that have all of its words in title or document_id, in any case. Without
        a `state` deleted ones are left out. Where `document_ids` are named, those of them; with a
        `language` those in it, with `only_screened` those that somebody should look at.
        """
        is_deleted = {"term": {"state": DocumentState.DELETED}}
        in_state = {"term": {"state": state}} if state else {"bool": {"must_not": is_deleted}}
        named = [{"terms": {"document_id": list(document_ids)}}] if document_ids else []
        written_in = [{"term": {"language": language}}] if language else []
        screened = [{"exists": {"field": "screened"}}] if only_screened else []
        with elasticsearch_errors():
            if not after:
                await self._client.indices.refresh(index=self._index, ignore_unavailable=True)
            reply = await self._client.search(
                index=self._index,
                query={
                    "bool": {
                        "filter": [
                            *_readable(tenant, groups),
                            in_state,
                            *named,
                            *written_in,
                            *screened,
                            *map(_named, search.split()),
                        ]
                    }
                },
                sort=[{"document_id": "asc"}],
                search_after=[after],
                size=limit,
                track_total_hits=False,
                ignore_unavailable=True,
            )
        return _records(reply.body)

    async def duplicates(
        self, records: Sequence[DocumentRecord], groups: Sequence[str]
    ) -> Sequence[Sequence[Duplicate]]:
        """Of each record the documents of its tenant that say the same and that a caller with these
        access groups may read, as of the last refresh; of their fields only what tells that.
        """
        looked_up = [record for record in records if record.content_digest or record.bands]
        if not looked_up:
            return [()] * len(records)
        searches = [line for each in looked_up for line in ({}, _alike(each, groups))]
        with elasticsearch_errors():
            reply = await self._client.msearch(
                index=self._index, searches=searches, ignore_unavailable=True
            )
        for answer in reply["responses"]:
            if "error" in answer:
                raise error_of(int(answer["status"]), str(answer["error"].get("type")))
        others = {
            record.document_id: _records(answer)
            for record, answer in zip(looked_up, reply["responses"], strict=True)
        }
        return [duplicates_among(each, others.get(each.document_id, ())) for each in records]


def _alike(record: DocumentRecord, groups: Sequence[str]) -> Mapping[str, Any]:
    """Those with the same content first, then those with most bands in common; none that is held:
    nobody reads it.
    """
    same_content = {"term": {"content_digest": {"value": record.content_digest or "", "boost": 99}}}
    near = [{"constant_score": {"filter": {"term": {"bands": band}}}} for band in record.bands]
    itself = {"term": {"document_id": record.document_id}}
    held = {"term": {"state": DocumentState.QUARANTINED}}
    query = _any_of(same_content, *near)
    query["bool"].update(filter=_readable(record.tenant, groups), must_not=[itself, held])
    return {
        "query": query,
        "size": _LOOKED_AT,
        "_source": _COMPARED,
        "track_total_hits": False,
    }


def _readable(tenant: str, groups: Sequence[str]) -> list[Mapping[str, Any]]:
    is_public = {"bool": {"must_not": {"exists": {"field": "acl"}}}}
    is_shared = {"terms": {"acl": list(groups)}}
    return [{"term": {"tenant": tenant}}, _any_of(is_public, is_shared)]


def _records(reply: Mapping[str, Any]) -> list[DocumentRecord]:
    return [DocumentRecord.model_validate(hit["_source"]) for hit in reply["hits"]["hits"]]


def _named(word: str) -> Mapping[str, Any]:
    """The word as a part of a name, or as one of the title's words in another form."""
    literal = "".join(one if one.isalnum() else f"\\{one}" for one in word)
    part = {"value": f".*{literal}.*", "flags": "NONE", "case_insensitive": True}
    return _any_of(
        {"regexp": {"document_id": part}},
        {"regexp": {"title.keyword": part}},
        {"match": {"title": word}},
    )


def _any_of(*queries: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {"bool": {"should": queries, "minimum_should_match": 1}}
