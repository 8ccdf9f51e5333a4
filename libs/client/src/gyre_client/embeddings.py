"""Vectors of texts."""

from collections.abc import Sequence

from gyre.embedder.v1 import embedder_pb2
from gyre.embedder.v1.embedder_pb2_grpc import EmbedderServiceStub

from gyre_client.parts import LoopT, Part, method


class Embeddings(Part[LoopT]):
    """The encoders that search uses."""

    stub, service = EmbedderServiceStub, "embedder"

    @method
    async def embed(
        self,
        texts: Sequence[str],
        *,
        version: str = "",
        side: embedder_pb2.Side = embedder_pb2.SIDE_QUERY,
    ) -> embedder_pb2.EmbedResponse:
        """Unit vectors of 1 to 256 texts by a version, the live one if none is named.

        Raises FailedPrecondition where the version is not registered.
        """
        request = embedder_pb2.EmbedRequest(texts=texts, version=version, side=side)
        reply: embedder_pb2.EmbedResponse = await self._call("Embed", request)
        return reply
