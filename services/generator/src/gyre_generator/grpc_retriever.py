"""Finds passages through the retriever's RPC."""

from uuid import UUID

import grpc.aio
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_common.errors import Unavailable
from gyre_common.rpc import call

from gyre_generator.ask import DocumentFilters
from gyre_generator.passages import RetrievedPassage, RetrievedPassages


class GrpcRetriever:
    """Implements `PassageRetriever`; tenant, groups, versions and deadline go along."""

    def __init__(self, channel: grpc.aio.Channel, *, seconds: float) -> None:
        self._stub = retriever_pb2_grpc.RetrieverServiceStub(channel)
        self._seconds = seconds

    async def retrieve(
        self, query: str, *, limit: int, filters: DocumentFilters, explore: bool
    ) -> RetrievedPassages:
        """Raises what the retriever raised; Unavailable where it cannot be reached."""
        request = retriever_pb2.RetrieveRequest(
            query=query,
            limit=limit,
            filters=retriever_pb2.Filters(
                document_ids=filters.document_ids,
                metadata=filters.metadata,
                media_types=filters.media_types,
            ),
            explore=explore,
        )
        reply = await call(self._stub.Retrieve, request, timeout=self._seconds)
        return RetrievedPassages(
            passages=tuple(_passage(c, rank) for rank, c in enumerate(reply.chunks, start=1)),
            latency_ms=dict(reply.latency_ms),
            versions=dict(reply.versions),
            fallbacks=tuple(reply.fallbacks),
        )


def _passage(chunk: retriever_pb2.Chunk, rank: int) -> RetrievedPassage:
    try:
        chunk_id = UUID(chunk.chunk_id)
    except ValueError as error:
        raise Unavailable(f"the retriever sent a malformed chunk id {chunk.chunk_id!r}") from error
    return RetrievedPassage(
        chunk_id=chunk_id,
        document_id=chunk.document_id,
        text=chunk.text,
        rank=rank,
        score=chunk.score,
        scores=dict(chunk.scores),
        title=chunk.title,
        heading_path=tuple(chunk.heading_path),
        source_uri=chunk.source_uri or None,
        revision=chunk.revision,
        ordinal=chunk.ordinal,
        explored=chunk.explored,
        propensity=chunk.propensity or 1.0,
        acl=tuple(chunk.acl.groups) if chunk.HasField("acl") else None,
    )
