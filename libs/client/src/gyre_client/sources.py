"""Sources: places that documents are fetched from, again and again."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime

from gyre.ingestor.v1 import sources_pb2
from gyre.ingestor.v1.sources_pb2_grpc import SourceServiceStub

from gyre_client.errors import GyreError, NotFound
from gyre_client.parts import LoopT, Part, method, stream

_PAUSE = 0.5
_PATIENCE_SECONDS = 900.0


class Sources(Part[LoopT]):
    """The sources of the caller's tenant."""

    stub, service = SourceServiceStub, "ingestor"

    @method
    async def put(
        self,
        name: str,
        kind: str,
        settings: Mapping[str, str],
        *,
        schedule: str = "",
        acl: Sequence[str] = (),
    ) -> sources_pb2.SourceStatus:
        """Adds it, or changes the one of that name, and syncs it. Raises InvalidInput."""
        source = sources_pb2.Source(
            name=name, kind=kind, settings=settings, schedule=schedule, acl=acl
        )
        request = sources_pb2.PutSourceRequest(source=source, actor=self._actor)
        reply: sources_pb2.PutSourceResponse = await self._call("PutSource", request)
        return reply.source

    @method
    async def list(self, *names: str) -> tuple[sources_pb2.SourceStatus, ...]:
        """All of them, or those named, with how far each is. Raises NotFound."""
        return await self._list(*names)

    @method
    async def kinds(self) -> tuple[sources_pb2.SourceKind, ...]:
        """What sources may be, with their settings."""
        request = sources_pb2.ListSourceKindsRequest()
        reply: sources_pb2.ListSourceKindsResponse = await self._call("ListSourceKinds", request)
        return (*reply.kinds,)

    @method
    async def sync(self, name: str) -> datetime:
        """Asks for a sync; it is done once one has ended that began then or later.

        Raises NotFound, FailedPrecondition (it is paused).
        """
        request = sources_pb2.SyncSourceRequest(name=name)
        reply: sources_pb2.SyncSourceResponse = await self._call("SyncSource", request)
        return reply.requested_at.ToDatetime(UTC)

    @stream
    async def follow(
        self, name: str, since: datetime, *, patience_seconds: float = _PATIENCE_SECONDS
    ) -> AsyncGenerator[sources_pb2.SourceStatus, None]:
        """How far it is, again and again, until a sync has ended that began at `since` or later, or
        the source is gone or paused.

        Raises GyreError: nothing has moved for `patience_seconds`.
        """
        before, moved_at = b"", time.monotonic()
        while True:
            try:
                (status,) = await self._list(name)
            except NotFound:
                return
            yield status
            if _is_done(status, since):
                return
            now = status.SerializeToString(deterministic=True)
            if now != before:
                before, moved_at = now, time.monotonic()
            elif time.monotonic() - moved_at > patience_seconds:
                raise GyreError(
                    f"the sync of {name} has not moved for {patience_seconds:.0f} s: see `gyre "
                    "status` and `gyre logs ingestor`; it goes on when the ingestor recovers"
                )
            await asyncio.sleep(_PAUSE)

    @method
    async def pause(self, name: str) -> None:
        """Stops its syncs until `resume`. Raises NotFound."""
        await self._call(
            "PauseSource", sources_pb2.PauseSourceRequest(name=name, actor=self._actor)
        )

    @method
    async def resume(self, name: str) -> None:
        """Lets it sync again, and begins with one. Raises NotFound."""
        request = sources_pb2.ResumeSourceRequest(name=name, actor=self._actor)
        await self._call("ResumeSource", request)

    @method
    async def remove(self, name: str, *, keep_documents: bool = False) -> None:
        """Removes it, and unless told otherwise what it brought. Raises NotFound."""
        request = sources_pb2.RemoveSourceRequest(
            name=name, keep_documents=keep_documents, actor=self._actor
        )
        await self._call("RemoveSource", request)

    async def _list(self, *names: str) -> tuple[sources_pb2.SourceStatus, ...]:
        request = sources_pb2.ListSourcesRequest(names=names)
        reply: sources_pb2.ListSourcesResponse = await self._call("ListSources", request)
        return (*reply.sources,)


def _is_done(status: sources_pb2.SourceStatus, since: datetime) -> bool:
    if status.state == sources_pb2.SOURCE_STATE_PAUSED:
        return True
    last = status.last_sync
    return last.HasField("began_at") and last.began_at.ToDatetime(UTC) >= since
