"""Keeps the last submission of each document in Elasticsearch, where a look-up by id is current."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from elasticsearch import AsyncElasticsearch, ConflictError
from gyre_common.document_index import record_key
from gyre_common.elasticsearch import elasticsearch_errors
from gyre_common.errors import Retryable

from gyre_ingestor.submission_order import SubmissionPlace

INDEX = "gyre-submission-order"
_SECONDS = 5.0
_ATTEMPTS = 5
_MAPPING = {"dynamic": False, "properties": {}}


class ElasticsearchOrder:
    """Implements `SubmissionOrder`; nothing in its index is searched."""

    def __init__(self, client: AsyncElasticsearch, *, index: str = INDEX) -> None:
        self._client = client.options(request_timeout=_SECONDS)
        self._index = index

    async def is_overtaken(self, tenant: str, document_id: str, place: SubmissionPlace) -> bool:
        """See `SubmissionOrder`."""
        last, _ = await self._last(record_key(tenant, document_id))
        return last is not None and place.is_before(last)

    async def advance(self, tenant: str, document_id: str, place: SubmissionPlace) -> bool:
        """See `SubmissionOrder`."""
        key = record_key(tenant, document_id)
        for _ in range(_ATTEMPTS):
            last, before = await self._last(key)
            with elasticsearch_errors():
                if last is not None and place.is_before(last):
                    return False
                if place == last or await self._write(key, place, before):
                    return True
        raise Retryable(f"submissions of {document_id} are being accepted by others")

    async def _last(self, key: str) -> tuple[SubmissionPlace | None, Mapping[str, Any]]:
        with elasticsearch_errors():
            reply = await self._client.options(ignore_status=HTTPStatus.NOT_FOUND).get(
                index=self._index, id=key
            )
        return _place(reply["_source"]) if reply.body.get("found") else None, reply.body

    async def _write(self, key: str, place: SubmissionPlace, before: Mapping[str, Any]) -> bool:
        """False where somebody else has written since it was looked up."""
        if "error" in before:
            await self._create()
        unchanged = (
            {"if_seq_no": before["_seq_no"], "if_primary_term": before["_primary_term"]}
            if before.get("found")
            else {"op_type": "create"}
        )
        document = {
            "partition": place.partition,
            "offset": place.offset,
            "taken_at": place.taken_at.isoformat(),
        }
        try:
            await self._client.index(index=self._index, id=key, document=document, **unchanged)
        except ConflictError:
            return False
        return True

    async def _create(self) -> None:
        """Another ingestor may do the same."""
        shape = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}
        await self._client.options(ignore_status=HTTPStatus.BAD_REQUEST).indices.create(
            index=self._index, mappings=_MAPPING, settings=shape
        )


def _place(source: Mapping[str, Any]) -> SubmissionPlace:
    taken_at = datetime.fromisoformat(source["taken_at"])
    return SubmissionPlace(source["partition"], source["offset"], taken_at)
