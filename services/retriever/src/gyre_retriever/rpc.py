"""The gRPC edge: translates messages to the core's words and back."""

from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_common.rpc import ServicerContext, request_context

from gyre_retriever.query import Filters, Query
from gyre_retriever.ranking import RankedPassage
from gyre_retriever.service import Retriever


class RetrieverRpc(retriever_pb2_grpc.RetrieverServiceServicer):
    """Serves gyre.retriever.v1.RetrieverService."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    async def Retrieve(
        self, request: retriever_pb2.RetrieveRequest, context: ServicerContext
    ) -> retriever_pb2.RetrieveResponse:
        """Finds the passages that fit a query best."""
        retrieved = await self._retriever.retrieve(_query(request), request_context())
        return retriever_pb2.RetrieveResponse(
            chunks=[_chunk(ranked) for ranked in retrieved.chunks],
            latency_ms=retrieved.latency_ms,
            versions=retrieved.versions,
            fallbacks=retrieved.fallbacks,
            legs={name: retriever_pb2.Leg(**vars(span)) for name, span in retrieved.legs.items()},
        )

    async def ReadableDocuments(
        self, request: retriever_pb2.ReadableDocumentsRequest, context: ServicerContext
    ) -> retriever_pb2.ReadableDocumentsResponse:
        """Tells which of these documents the caller may read now."""
        readable = await self._retriever.readable_documents(
            tuple(request.document_ids), _filters(request.filters), request_context()
        )
        return retriever_pb2.ReadableDocumentsResponse(
            documents=[
                retriever_pb2.ReadableDocument(
                    document_id=document_id, acl=retriever_pb2.AccessGroups(groups=groups)
                )
                for document_id, groups in readable.items()
            ]
        )


def _query(request: retriever_pb2.RetrieveRequest) -> Query:
    filters = _filters(request.filters)
    return Query(request.query, request.limit, filters, request.explore, request.all_hits)


def _filters(filters: retriever_pb2.Filters) -> Filters:
    return Filters(
        document_ids=tuple(filters.document_ids),
        metadata=dict(filters.metadata),
        media_types=tuple(filters.media_types),
        languages=tuple(filters.languages),
    )


def _chunk(ranked: RankedPassage) -> retriever_pb2.Chunk:
    chunk = ranked.chunk
    return retriever_pb2.Chunk(
        chunk_id=str(chunk.chunk_id),
        document_id=chunk.document_id,
        text=chunk.text,
        score=ranked.score,
        scores=ranked.scores,
        title=chunk.title,
        heading_path=chunk.heading_path,
        position=chunk.position,
        source_uri=chunk.source_uri or "",
        revision=chunk.revision,
        start=chunk.start,
        end=chunk.end,
        ordinal=chunk.ordinal,
        explored=ranked.explored,
        propensity=ranked.propensity,
        acl=retriever_pb2.AccessGroups(groups=chunk.acl),
        duplicates=[
            retriever_pb2.Duplicate(chunk_id=str(each.chunk_id), document_id=each.document_id)
            for each in ranked.duplicates
        ],
    )
