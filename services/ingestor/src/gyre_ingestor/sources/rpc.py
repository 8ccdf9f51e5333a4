"""The gRPC edge of sources: translates messages to the core's words and back."""

from google.protobuf.json_format import MessageToDict
from gyre.ingestor.v1 import sources_pb2, sources_pb2_grpc
from gyre_common.errors import InvalidInput
from gyre_common.rpc import ServicerContext, request_context
from pydantic_core import PydanticUndefined

from gyre_ingestor.sources.book import SourceBook, SourceStanding, new_source
from gyre_ingestor.sources.source import SourceKind
from gyre_ingestor.sources.state import SyncOutcome, SyncRun

_MOST_NAMED = 100


class SourceRpc(sources_pb2_grpc.SourceServiceServicer):
    """Serves gyre.ingestor.v1.SourceService."""

    def __init__(self, book: SourceBook) -> None:
        self._book = book

    async def PutSource(
        self, request: sources_pb2.PutSourceRequest, context: ServicerContext
    ) -> sources_pb2.PutSourceResponse:
        """Replies once Kafka has the source and the request for its sync."""
        fields = MessageToDict(request.source, preserving_proto_field_name=True)
        described = {"name": "", "kind": "", **fields, "actor": request.actor}
        standing = await self._book.put(new_source(request_context().tenant, described))
        return sources_pb2.PutSourceResponse(source=_status(standing))

    async def ListSources(
        self, request: sources_pb2.ListSourcesRequest, context: ServicerContext
    ) -> sources_pb2.ListSourcesResponse:
        """All of the caller's tenant, or those named."""
        if len(request.names) > _MOST_NAMED:
            problem = f"has {len(request.names):,} names"
            raise InvalidInput("names", problem, f"send {_MOST_NAMED} at a time, or none for all")
        standings = await self._book.list(request_context().tenant, request.names)
        return sources_pb2.ListSourcesResponse(sources=map(_status, standings))

    async def SyncSource(
        self, request: sources_pb2.SyncSourceRequest, context: ServicerContext
    ) -> sources_pb2.SyncSourceResponse:
        """Replies once Kafka has the request."""
        at = await self._book.sync(request_context().tenant, request.name)
        return sources_pb2.SyncSourceResponse(requested_at=at)

    async def PauseSource(
        self, request: sources_pb2.PauseSourceRequest, context: ServicerContext
    ) -> sources_pb2.PauseSourceResponse:
        """Replies once Kafka has it."""
        tenant = request_context().tenant
        await self._book.pause(tenant, request.name, paused=True, actor=request.actor)
        return sources_pb2.PauseSourceResponse()

    async def ResumeSource(
        self, request: sources_pb2.ResumeSourceRequest, context: ServicerContext
    ) -> sources_pb2.ResumeSourceResponse:
        """Replies once Kafka has it."""
        tenant = request_context().tenant
        await self._book.pause(tenant, request.name, paused=False, actor=request.actor)
        return sources_pb2.ResumeSourceResponse()

    async def RemoveSource(
        self, request: sources_pb2.RemoveSourceRequest, context: ServicerContext
    ) -> sources_pb2.RemoveSourceResponse:
        """Replies once Kafka has it; its documents go after that."""
        await self._book.remove(
            request_context().tenant,
            request.name,
            keeps_documents=request.keep_documents,
            actor=request.actor,
        )
        return sources_pb2.RemoveSourceResponse()

    async def ListSourceKinds(
        self, request: sources_pb2.ListSourceKindsRequest, context: ServicerContext
    ) -> sources_pb2.ListSourceKindsResponse:
        """All that can be synced."""
        kinds = [_kind(name, kind) for name, kind in self._book.kinds.items()]
        return sources_pb2.ListSourceKindsResponse(kinds=kinds)


def _kind(name: str, kind: SourceKind) -> sources_pb2.SourceKind:
    settings = [
        sources_pb2.SourceSetting(
            name=setting,
            description=field.description or "",
            default=_text_of(field.default),
            required=field.is_required(),
        )
        for setting, field in kind.settings.model_fields.items()
    ]
    return sources_pb2.SourceKind(kind=name, settings=settings)


def _text_of(default: object) -> str:
    if default is PydanticUndefined or default == ():
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def _status(standing: SourceStanding) -> sources_pb2.SourceStatus:
    source, progress = standing.source, standing.progress
    return sources_pb2.SourceStatus(
        source=sources_pb2.Source(
            name=source.name,
            kind=source.kind,
            settings=source.settings,
            schedule=source.schedule,
            acl=source.acl,
        ),
        state=_state(standing),
        documents=progress.documents,
        sync=_sync(progress.run),
        last_sync=_sync(progress.last),
        next_sync_at=standing.next_sync_at,
        generation=source.generation,
        actor=source.actor,
        changed_at=source.changed_at,
    )


def _state(standing: SourceStanding) -> sources_pb2.SourceState:
    source, progress = standing.source, standing.progress
    if source.removed:
        return sources_pb2.SOURCE_STATE_REMOVING
    if source.paused:
        return sources_pb2.SOURCE_STATE_PAUSED
    if progress.run is not None:
        return sources_pb2.SOURCE_STATE_SYNCING
    if progress.last is None:
        return sources_pb2.SOURCE_STATE_NEW
    if progress.last.outcome in (SyncOutcome.SUCCEEDED, SyncOutcome.STOPPED):
        return sources_pb2.SOURCE_STATE_SYNCED
    return sources_pb2.SOURCE_STATE_FAILED


def _sync(run: SyncRun | None) -> sources_pb2.Sync | None:
    if run is None:
        return None
    return sources_pb2.Sync(
        **run.counts.model_dump(),
        began_at=run.began_at,
        ended_at=run.ended_at,
        reason=run.reason,
        outcome=run.outcome or "",
        problems=[
            sources_pb2.SourceProblem(name=each.name, detail=each.detail) for each in run.problems
        ],
        error=run.error,
    )
