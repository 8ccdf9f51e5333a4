"""Which submission of a document came last, and whose it is: in memory and in Elasticsearch."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from gyre_common.document_index import record_key
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.errors import Retryable
from gyre_ingestor.elasticsearch_order import ElasticsearchOrder
from gyre_ingestor.submission_order import (
    Groups,
    LastSubmission,
    SubmissionOrder,
    SubmissionPlace,
    Turn,
)

from tests.fakes.submission_order import MemoryOrder

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def place(partition: int, offset: int, seconds: float = 0) -> SubmissionPlace:
    return SubmissionPlace(partition, offset, NOON + timedelta(seconds=seconds))


async def advance(
    order: SubmissionOrder,
    place: SubmissionPlace,
    *,
    tenant: str = "acme",
    document_id: str = "tea",
    acl: Groups | None = (),
    writer: Groups | None = None,
) -> Turn:
    return await order.advance(tenant, document_id, place, acl=acl, writer=writer)


class SubmissionOrderContract:
    async def test_on_one_partition_the_higher_offset_is_later_whatever_the_clock_says(
        self, order: SubmissionOrder
    ) -> None:
        assert await advance(order, place(0, 5)) is Turn.TAKEN
        assert await advance(order, place(0, 6, seconds=-3600)) is Turn.TAKEN
        assert await advance(order, place(0, 5, seconds=-3600)) is Turn.OVERTAKEN

    async def test_on_different_partitions_the_later_one_is_later(
        self, order: SubmissionOrder
    ) -> None:
        assert await advance(order, place(3, 5, seconds=0.001)) is Turn.TAKEN
        assert await advance(order, place(1, 900)) is Turn.OVERTAKEN
        assert await advance(order, place(2, 0, seconds=0.002)) is Turn.TAKEN

    async def test_the_same_submission_may_come_again(self, order: SubmissionOrder) -> None:
        for _ in range(2):
            assert await advance(order, place(0, 5), acl=("staff",), writer=()) is Turn.TAKEN

    async def test_a_topic_that_was_made_anew_begins_again(self, order: SubmissionOrder) -> None:
        assert await advance(order, place(0, 900)) is Turn.TAKEN
        assert await advance(order, place(0, 0, seconds=1)) is Turn.TAKEN

    async def test_documents_and_tenants_are_apart(self, order: SubmissionOrder) -> None:
        early = place(1, 0, seconds=-1)
        assert await advance(order, place(0, 5)) is Turn.TAKEN
        assert await advance(order, early, document_id="coffee") is Turn.TAKEN
        assert await advance(order, early, tenant="else") is Turn.TAKEN

    async def test_of_many_at_once_the_last_one_stays(self, order: SubmissionOrder) -> None:
        places = [place(partition, 0, seconds=partition) for partition in range(4)]
        await asyncio.gather(*(advance(order, each) for each in places))
        assert await advance(order, places[-2]) is Turn.OVERTAKEN
        assert await advance(order, places[-1]) is Turn.TAKEN

    async def test_who_may_not_read_a_document_does_not_overtake_it(
        self, order: SubmissionOrder
    ) -> None:
        assert await order.last("acme", "tea") == LastSubmission()
        await advance(order, place(0, 1), acl=("staff", "board"))
        for outsider in ((), ("guests",)):
            assert await advance(order, place(0, 2), writer=outsider) is Turn.FORBIDDEN
            assert await advance(order, place(0, 0), writer=outsider) is Turn.OVERTAKEN
        assert await order.last("acme", "tea") == LastSubmission(place(0, 1), ("staff", "board"))
        assert await advance(order, place(0, 3), writer=("board",)) is Turn.TAKEN
        assert await advance(order, place(0, 4), writer=()) is Turn.TAKEN  # it is public by now
        assert await advance(order, place(0, 5), acl=("staff",)) is Turn.TAKEN
        assert await advance(order, place(0, 6), writer=None) is Turn.TAKEN

    async def test_a_deletion_leaves_a_document_to_those_who_could_read_it(
        self, order: SubmissionOrder
    ) -> None:
        await advance(order, place(0, 1), acl=("staff",))
        assert await advance(order, place(0, 2), acl=None, writer=("staff",)) is Turn.TAKEN
        assert await advance(order, place(0, 3), writer=()) is Turn.FORBIDDEN


class TestInMemory(SubmissionOrderContract):
    @pytest.fixture
    def order(self) -> SubmissionOrder:
        return MemoryOrder()


@pytest.mark.integration
class TestInElasticsearch(SubmissionOrderContract):
    @pytest.fixture
    async def order(
        self, elasticsearch_url: str, elasticsearch_login: tuple[str, str]
    ) -> AsyncIterator[SubmissionOrder]:
        async with open_elasticsearch(elasticsearch_url, elasticsearch_login) as client:
            name = uuid4().hex[:8]
            yield ElasticsearchOrder(
                client, index=f"test-order-{name}", documents_index=f"test-documents-{name}"
            )

    async def test_what_was_accepted_before_groups_were_kept_has_them_in_its_head_record(
        self, elasticsearch_url: str, elasticsearch_login: tuple[str, str]
    ) -> None:
        name, key = uuid4().hex[:8], record_key("acme", "tea")
        old = {"partition": 0, "offset": 1, "taken_at": NOON.isoformat()}
        async with open_elasticsearch(elasticsearch_url, elasticsearch_login) as client:
            index, heads = f"test-order-{name}", f"test-documents-{name}"
            order = ElasticsearchOrder(client, index=index, documents_index=heads)
            await client.indices.create(index=index, mappings={"dynamic": False})
            await client.index(index=index, id=key, document=old)
            assert await order.last("acme", "tea") == LastSubmission(place(0, 1))
            await client.indices.create(index=heads, mappings={"dynamic": False})
            await client.index(index=heads, id=key, document={"acl": ["staff"], "revision": -1})
            assert await order.last("acme", "tea") == LastSubmission(place(0, 1))
            await client.index(index=heads, id=key, document={"acl": ["staff"], "revision": 0})
            assert await order.last("acme", "tea") == LastSubmission(place(0, 1), ("staff",))
            assert await advance(order, place(0, 2), writer=()) is Turn.FORBIDDEN
            assert await advance(order, place(0, 2), acl=None) is Turn.TAKEN
            assert await order.last("acme", "tea") == LastSubmission(place(0, 2), ("staff",))


async def test_without_elasticsearch_submissions_wait() -> None:
    async with open_elasticsearch("http://127.0.0.1:9", None) as client:
        with pytest.raises(Retryable):
            await advance(ElasticsearchOrder(client), place(0, 0))
