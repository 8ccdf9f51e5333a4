"""The query encoder behind the embedder's RPC, with a cache of what was asked lately."""

from collections import OrderedDict

import grpc.aio
from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre_common.rpc import call

from gyre_retriever.query_encoder import Vector


class GrpcQueryEncoder:
    """Implements `QueryEncoder`. A version never changes, so a cached vector stays right."""

    def __init__(self, channel: grpc.aio.Channel, *, seconds: float, cache_size: int) -> None:
        self._stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        self._seconds = seconds
        self._cache_size = cache_size
        self._cache: OrderedDict[tuple[str, str], Vector] = OrderedDict()

    async def encode(self, text: str, version: str) -> Vector:
        """See `QueryEncoder`."""
        key = (version, text)
        vector = self._cache.get(key)
        if vector is None:
            vector = self._cache[key] = await self._ask(text, version)
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        return vector

    async def _ask(self, text: str, version: str) -> Vector:
        request = embedder_pb2.EmbedRequest(
            texts=[text], version=version, side=embedder_pb2.SIDE_QUERY
        )
        reply = await call(self._stub.Embed, request, timeout=self._seconds)
        return tuple(reply.embeddings[0].values)
