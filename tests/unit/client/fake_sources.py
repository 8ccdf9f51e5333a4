"""Sources as a server has them: a sync is under way when it is first looked at, and over after."""

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from gyre.ingestor.v1 import sources_pb2, sources_pb2_grpc
from gyre_common.errors import FailedPrecondition, NotFound

EARLIER, LATER = Timestamp(seconds=1_767_225_600), Timestamp(seconds=1_767_225_660)


@dataclass
class FakeSources(sources_pb2_grpc.SourceServiceServicer):
    """`error` is what the next syncs end with; `documents_stay` names sources that were removed
    without their documents.
    """

    sources: dict[str, sources_pb2.SourceStatus] = field(default_factory=dict)
    looked: list[str] = field(default_factory=list)
    error: str = ""
    documents_stay: list[str] = field(default_factory=list)

    async def PutSource(self, request: Any, context: Any) -> sources_pb2.PutSourceResponse:
        status = sources_pb2.SourceStatus(
            source=request.source,
            state=sources_pb2.SOURCE_STATE_SYNCING,
            sync=sources_pb2.Sync(began_at=LATER, added=1),
            changed_at=LATER,
            actor=request.actor,
        )
        self.sources[request.source.name] = status
        return sources_pb2.PutSourceResponse(source=status)

    async def ListSources(self, request: Any, context: Any) -> sources_pb2.ListSourcesResponse:
        statuses = [self._named(name) for name in request.names or self.sources]
        reply = sources_pb2.ListSourcesResponse(sources=statuses)
        for status in statuses:
            self._go_on(status)
        return reply

    async def SyncSource(self, request: Any, context: Any) -> sources_pb2.SyncSourceResponse:
        status = self._named(request.name)
        if status.state == sources_pb2.SOURCE_STATE_PAUSED:
            raise FailedPrecondition(f"{request.name} is paused")
        status.state = sources_pb2.SOURCE_STATE_SYNCING
        status.ClearField("last_sync")
        return sources_pb2.SyncSourceResponse(requested_at=LATER)

    async def PauseSource(self, request: Any, context: Any) -> sources_pb2.PauseSourceResponse:
        self._named(request.name).state = sources_pb2.SOURCE_STATE_PAUSED
        return sources_pb2.PauseSourceResponse()

    async def ResumeSource(self, request: Any, context: Any) -> sources_pb2.ResumeSourceResponse:
        self._named(request.name).state = sources_pb2.SOURCE_STATE_SYNCING
        return sources_pb2.ResumeSourceResponse()

    async def RemoveSource(self, request: Any, context: Any) -> sources_pb2.RemoveSourceResponse:
        self._named(request.name).state = sources_pb2.SOURCE_STATE_REMOVING
        self.documents_stay += [request.name] * request.keep_documents
        return sources_pb2.RemoveSourceResponse()

    async def ListSourceKinds(
        self, request: Any, context: Any
    ) -> sources_pb2.ListSourceKindsResponse:
        path = sources_pb2.SourceSetting(name="path", description="Absolute.", required=True)
        kind = sources_pb2.SourceKind(kind="folder", settings=[path])
        return sources_pb2.ListSourceKindsResponse(kinds=[kind])

    def _named(self, name: str) -> sources_pb2.SourceStatus:
        if name not in self.sources:
            raise NotFound(f"there is no source {name!r}")
        return self.sources[name]

    def _go_on(self, status: sources_pb2.SourceStatus) -> None:
        name = status.source.name
        if status.state == sources_pb2.SOURCE_STATE_REMOVING:
            del self.sources[name]
        elif status.state == sources_pb2.SOURCE_STATE_SYNCING:
            failed = bool(self.error)
            problem = sources_pb2.SourceProblem(name="b.md", detail="is empty")
            status.last_sync.CopyFrom(
                sources_pb2.Sync(
                    began_at=LATER,
                    ended_at=LATER,
                    outcome="failed" if failed else "succeeded",
                    added=2,
                    refused=1,
                    problems=[problem],
                    error=self.error,
                )
            )
            status.documents = 2
            status.ClearField("sync")
            status.state = (
                sources_pb2.SOURCE_STATE_FAILED if failed else sources_pb2.SOURCE_STATE_SYNCED
            )
