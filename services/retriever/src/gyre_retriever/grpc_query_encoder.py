"""The query encoder behind the embedder's RPC, with a cache of what was asked lately."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

import grpc.aio
from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre_common.errors import FailedPrecondition
from gyre_common.rpc import call

from gyre_retriever.ports import Vector

_REFUSED_SECONDS = 0.5


class GrpcQueryEncoder:
    """Implements `QueryEncoder`. A version never changes, so a cached vector stays right.

    A version that was refused is refused for a moment more without asking: while it is loaded
    there, one request waits for it now and then, and not all of them.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        seconds: float,
        cache_size: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        self._seconds = seconds
        self._cache_size = cache_size
        self._cache: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._clock = clock
        self._refusals: dict[str, tuple[str, float]] = {}

    async def encode(self, text: str, version: str) -> Vector:
        """See `QueryEncoder`."""
        key = (version, text)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        vector = self._cache[key] = await self._embed(text, version)
        if len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return vector

    async def _embed(self, text: str, version: str) -> Vector:
        reason, until = self._refusals.get(version, ("", 0.0))
        if self._clock() < until:
            raise FailedPrecondition(reason)
        request = embedder_pb2.EmbedRequest(
            texts=[text], version=version, side=embedder_pb2.SIDE_QUERY
        )
        try:
            reply = await call(self._stub.Embed, request, timeout=self._seconds)
        except FailedPrecondition as error:
            self._refusals[version] = str(error), self._clock() + _REFUSED_SECONDS
            raise
        return tuple(reply.embeddings[0].values)
