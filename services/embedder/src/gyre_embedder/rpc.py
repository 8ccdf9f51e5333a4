"""The gRPC edge: translates messages to the core's words and back."""

from collections.abc import Mapping
from types import MappingProxyType

from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre_common.rpc import ServicerContext

from gyre_embedder.encoders import Encoders, Side

_SIDES: Mapping[int, Side] = MappingProxyType(
    {
        embedder_pb2.SIDE_UNSPECIFIED: Side.QUERY,
        embedder_pb2.SIDE_QUERY: Side.QUERY,
        embedder_pb2.SIDE_DOCUMENT: Side.DOCUMENT,
    }
)


class EmbedderRpc(embedder_pb2_grpc.EmbedderServiceServicer):
    """Serves gyre.embedder.v1.EmbedderService."""

    def __init__(self, encoders: Encoders) -> None:
        self._encoders = encoders

    async def Embed(
        self, request: embedder_pb2.EmbedRequest, context: ServicerContext
    ) -> embedder_pb2.EmbedResponse:
        """Encodes texts into unit vectors."""
        side = _SIDES.get(request.side, Side.QUERY)
        version, results = await self._encoders.embed(list(request.texts), side, request.version)
        return embedder_pb2.EmbedResponse(
            embeddings=[
                embedder_pb2.Embedding(
                    values=result.vector.tolist(), tokens=result.tokens, truncated=result.truncated
                )
                for result in results
            ],
            version=version,
            dimensions=len(results[0].vector),
        )
