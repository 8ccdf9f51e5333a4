"""Sources over a real channel: what callers are told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from gyre.ingestor.v1 import sources_pb2
from gyre.ingestor.v1.sources_pb2_grpc import SourceServiceStub
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import InvalidInput, NotFound
from gyre_common.rpc import call, channel, serve
from gyre_ingestor.sources.rpc import SourceRpc

from .conftest import World


@pytest.fixture
async def stub(world: World) -> AsyncIterator[SourceServiceStub]:
    async with serve(host="127.0.0.1", port=0) as server:
        await server.add([SourceRpc(world.book)])
        async with channel(f"127.0.0.1:{server.port}") as connection:
            with use_context(RequestContext(tenant="acme")):
                yield SourceServiceStub(connection)


def a_request(**fields: Any) -> sources_pb2.PutSourceRequest:
    described = {"name": "shelf", "kind": "place", "acl": ["kitchen"], **fields}
    return sources_pb2.PutSourceRequest(source=sources_pb2.Source(**described), actor="ann")


async def test_a_source_is_added_synced_listed_and_removed(
    world: World, stub: SourceServiceStub
) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": " "}
    added = await call(stub.PutSource, a_request(schedule="0 3 * * *", settings={"size": "2"}))
    assert added.source.state == sources_pb2.SOURCE_STATE_NEW
    await world.bus.settled()
    listed = await call(stub.ListSources, sources_pb2.ListSourcesRequest())
    (status,) = listed.sources
    assert status.source.settings == {"size": "2"}
    assert (status.state, status.documents) == (sources_pb2.SOURCE_STATE_SYNCED, 1)
    assert (status.last_sync.added, status.last_sync.refused) == (1, 1)
    assert status.last_sync.problems[0].name == "b.md"
    assert status.next_sync_at.ToDatetime().hour == 3
    assert status.actor == "ann"

    named = sources_pb2.SyncSourceRequest(name="shelf")
    reply = await call(stub.SyncSource, named)
    await world.bus.settled()
    (status,) = (await call(stub.ListSources, sources_pb2.ListSourcesRequest())).sources
    assert status.last_sync.began_at.ToDatetime() >= reply.requested_at.ToDatetime()
    await call(stub.PauseSource, sources_pb2.PauseSourceRequest(name="shelf"))
    (status,) = (await call(stub.ListSources, sources_pb2.ListSourcesRequest())).sources
    assert status.state == sources_pb2.SOURCE_STATE_PAUSED
    await call(stub.ResumeSource, sources_pb2.ResumeSourceRequest(name="shelf"))
    await call(stub.RemoveSource, sources_pb2.RemoveSourceRequest(name="shelf"))
    await world.bus.settled()
    with pytest.raises(NotFound):
        await call(stub.SyncSource, named)


async def test_a_failed_sync_says_why(world: World, stub: SourceServiceStub) -> None:
    world.place.texts, world.place.breaks_after = {"a.md": "Tea."}, 0
    await call(stub.PutSource, a_request())
    await world.bus.settled()
    (status,) = (await call(stub.ListSources, sources_pb2.ListSourcesRequest())).sources
    assert status.state == sources_pb2.SOURCE_STATE_FAILED
    assert status.last_sync.error == "the line was cut: try again"


async def test_a_field_that_cannot_work_is_named(world: World, stub: SourceServiceStub) -> None:
    with pytest.raises(InvalidInput, match="schedule"):
        await call(stub.PutSource, a_request(schedule="soon"))


async def test_kinds_come_with_their_settings(stub: SourceServiceStub) -> None:
    reply = await call(stub.ListSourceKinds, sources_pb2.ListSourceKindsRequest())
    folder = next(kind for kind in reply.kinds if kind.kind == "folder")
    settings = {each.name: each for each in folder.settings}
    assert settings["path"].required
    assert settings["watch"].default == "true"
    assert all(each.description for each in folder.settings)
