"""Which submission of a document came last: the same in memory and in Elasticsearch."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.errors import Retryable
from gyre_ingestor.elasticsearch_order import ElasticsearchOrder
from gyre_ingestor.submission_order import SubmissionOrder, SubmissionPlace

from tests.fakes.submission_order import MemoryOrder

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def place(partition: int, offset: int, seconds: float = 0) -> SubmissionPlace:
    return SubmissionPlace(partition, offset, NOON + timedelta(seconds=seconds))


class SubmissionOrderContract:
    async def test_on_one_partition_the_higher_offset_is_later_whatever_the_clock_says(
        self, order: SubmissionOrder
    ) -> None:
        assert await order.advance("acme", "tea", place(0, 5))
        assert await order.advance("acme", "tea", place(0, 6, seconds=-3600))
        assert not await order.advance("acme", "tea", place(0, 5, seconds=-3600))

    async def test_on_different_partitions_the_later_one_is_later(
        self, order: SubmissionOrder
    ) -> None:
        assert await order.advance("acme", "tea", place(3, 5, seconds=0.001))
        assert not await order.advance("acme", "tea", place(1, 900))
        assert await order.advance("acme", "tea", place(2, 0, seconds=0.002))

    async def test_the_same_submission_may_come_again(self, order: SubmissionOrder) -> None:
        for _ in range(2):
            assert await order.advance("acme", "tea", place(0, 5))

    async def test_a_topic_that_was_made_anew_begins_again(self, order: SubmissionOrder) -> None:
        assert await order.advance("acme", "tea", place(0, 900))
        assert await order.advance("acme", "tea", place(0, 0, seconds=1))

    async def test_documents_and_tenants_are_apart(self, order: SubmissionOrder) -> None:
        assert await order.advance("acme", "tea", place(0, 5))
        assert await order.advance("acme", "coffee", place(1, 0, seconds=-1))
        assert await order.advance("else", "tea", place(1, 0, seconds=-1))

    async def test_of_many_at_once_the_last_one_stays(self, order: SubmissionOrder) -> None:
        places = [place(partition, 0, seconds=partition) for partition in range(4)]
        await asyncio.gather(*(order.advance("acme", "tea", each) for each in places))
        assert not await order.advance("acme", "tea", places[-2])
        assert await order.advance("acme", "tea", places[-1])


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
            yield ElasticsearchOrder(client, index=f"test-order-{uuid4().hex[:8]}")


async def test_without_elasticsearch_submissions_wait() -> None:
    async with open_elasticsearch("http://127.0.0.1:9", None) as client:
        with pytest.raises(Retryable):
            await ElasticsearchOrder(client).advance("acme", "tea", place(0, 0))
