"""Keeps the last submission of each document in Elasticsearch, where a look-up by id is current."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from elasticsearch import AsyncElasticsearch, ConflictError
from gyre_common.document_index import DOCUMENTS_INDEX, record_key
from gyre_common.elasticsearch import elasticsearch_errors
from gyre_common.errors import Retryable

from gyre_ingestor.submission_order import Groups, LastSubmission, SubmissionPlace, Turn

INDEX = "gyre-submission-order"
_SECONDS = 5.0
_ATTEMPTS = 5
_MAPPING = {"dynamic": False, "properties": {}}


class ElasticsearchOrder:
    """Implements `SubmissionOrder`; nothing in its index is searched. What was accepted before it
    kept groups has them in its head record.
    """

    def __init__(
        self,
        client: AsyncElasticsearch,
        *,
        index: str = INDEX,
        documents_index: str = DOCUMENTS_INDEX,
    ) -> None:
        self._client = client.options(request_timeout=_SECONDS)
        self._index = index
        self._documents_index = documents_index

    async def last(self, tenant: str, document_id: str) -> LastSubmission:
        """See `SubmissionOrder`."""
        last, _ = await self._last(record_key(tenant, document_id))
        return last

    async def advance(
        self,
        tenant: str,
        document_id: str,
        place: SubmissionPlace,
        *,
        acl: Groups | None,
        writer: Groups | None,
    ) -> Turn:
        """See `SubmissionOrder`."""
        key = record_key(tenant, document_id)
        for _ in range(_ATTEMPTS):
            last, before = await self._last(key)
            turn = last.turn_of(place, writer)
            after = LastSubmission(place, last.acl if acl is None else acl)
            if turn is not Turn.TAKEN or after == last:
                return turn
            with elasticsearch_errors():
                if await self._write(key, after, before):
                    return turn
        raise Retryable(f"submissions of {document_id} are being accepted by others")

    async def _last(self, key: str) -> tuple[LastSubmission, Mapping[str, Any]]:
        client = self._client.options(ignore_status=HTTPStatus.NOT_FOUND)
        with elasticsearch_errors():
            reply = await client.get(index=self._index, id=key)
            source = reply["_source"] if reply.body.get("found") else {}
            acl = source.get("acl")
            if acl is None:
                head = await client.get(
                    index=self._documents_index, id=key, source_includes=["acl", "revision"]
                )
                acl = _groups_of(head["_source"]) if head.body.get("found") else None
        groups = None if acl is None else tuple(acl)
        return LastSubmission(_place(source) if source else None, groups), reply.body

    async def _write(self, key: str, last: LastSubmission, before: Mapping[str, Any]) -> bool:
        """False where somebody else has written since it was looked up."""
        if "error" in before:
            await self._create()
        unchanged = (
            {"if_seq_no": before["_seq_no"], "if_primary_term": before["_primary_term"]}
            if before.get("found")
            else {"op_type": "create"}
        )
        assert last.place is not None
        document = {
            "partition": last.place.partition,
            "offset": last.place.offset,
            "taken_at": last.place.taken_at.isoformat(),
            "acl": last.acl,
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


def _groups_of(head: Mapping[str, Any]) -> Sequence[str] | None:
    """None where nothing was ever accepted: a name is not taken by what was turned away."""
    return head.get("acl", ()) if head.get("revision", -1) >= 0 else None


def _place(source: Mapping[str, Any]) -> SubmissionPlace:
    taken_at = datetime.fromisoformat(source["taken_at"])
    return SubmissionPlace(source["partition"], source["offset"], taken_at)
