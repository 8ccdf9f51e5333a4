"""Sources as the client has them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from gyre.ingestor.v1 import sources_pb2
from gyre_client import AsyncClient, Caller, FailedPrecondition, GyreError, NotFound

from tests.unit.client.fake_sources import LATER
from tests.unit.client.fake_system import FakeSystem, serve_fake


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with (
        serve_fake(FakeSystem()) as addresses,
        AsyncClient(addresses, Caller(actor="ann")) as client,
    ):
        yield client


async def test_a_source_is_added_followed_paused_and_removed(client: AsyncClient) -> None:
    sources = client.sources
    settings = {"path": "/srv/docs"}
    added = await sources.put("docs", "folder", settings, schedule="0 3 * * *", acl=["staff"])
    assert (dict(added.source.settings), added.actor) == (settings, "ann")
    assert list(added.source.acl) == ["staff"]
    since = added.changed_at.ToDatetime(UTC)
    states = [status.state async for status in sources.follow("docs", since)]
    assert states == [sources_pb2.SOURCE_STATE_SYNCING, sources_pb2.SOURCE_STATE_SYNCED]
    assert await sources.sync("docs") == LATER.ToDatetime(UTC)
    await sources.pause("docs")
    with pytest.raises(FailedPrecondition):
        await sources.sync("docs")
    never = datetime.max.replace(tzinfo=UTC)
    assert len([status async for status in sources.follow("docs", never)]) == 1
    await sources.resume("docs")
    await sources.remove("docs", keep_documents=True)
    assert len([status async for status in sources.follow("docs", never)]) == 1
    with pytest.raises(NotFound):
        await sources.list("docs")
    (kind,) = await sources.kinds()
    assert kind.settings[0].required


async def test_a_sync_that_does_not_move_is_not_waited_for_for_ever(client: AsyncClient) -> None:
    await client.sources.put("docs", "folder", {})
    await client.sources.list()
    later = LATER.ToDatetime(UTC) + timedelta(seconds=1)
    with pytest.raises(GyreError, match="has not moved for 0 s"):
        _ = [one async for one in client.sources.follow("docs", later, patience_seconds=0)]
