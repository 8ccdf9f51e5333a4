"""What the retriever finds for a question, without an answer; nothing of it is recorded."""

from collections.abc import Sequence

from gyre.retriever.v1 import retriever_pb2
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub

from gyre_client.parts import LoopT, Part, method


class Search(Part[LoopT]):
    """Of the documents that the caller may read."""

    stub, service = RetrieverServiceStub, "retriever"

    @method
    async def retrieve(
        self,
        query: str,
        *,
        limit: int = 10,
        document_ids: Sequence[str] = (),
        timeout: float = 30.0,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
    ) -> retriever_pb2.RetrieveResponse:
        """Passages, best first, of all documents or of those named."""
        request = retriever_pb2.RetrieveRequest(
            query=query, limit=limit, filters=retriever_pb2.Filters(document_ids=document_ids)
        )
        reply: retriever_pb2.RetrieveResponse = await self._call(
            "Retrieve", request, timeout=timeout
        )
        return reply
