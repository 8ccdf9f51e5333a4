"""Tries versions by the RPCs of those who serve them. Loading may take a while."""

import grpc.aio
from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc
from gyre_common.events.releases import Roles
from gyre_common.rpc import call

_TEXT = "What does a new encoder make of this?"


class GrpcEncoderProbe:
    """Implements the VersionProbe port: one vector."""

    served_by = "embedder"

    def __init__(self, channel: grpc.aio.Channel, *, seconds: float = 20.0) -> None:
        self._stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        self._seconds = seconds

    async def try_version(self, role: str, version: str) -> None:
        """See VersionProbe."""
        of_queries = role == Roles.QUERY_ENCODER
        side = embedder_pb2.SIDE_QUERY if of_queries else embedder_pb2.SIDE_DOCUMENT
        request = embedder_pb2.EmbedRequest(texts=[_TEXT], version=version, side=side)
        await call(self._stub.Embed, request, timeout=self._seconds)


class GrpcGeneratorProbe:
    """Implements the VersionProbe port: a few words, or the prompt that they are asked for with."""

    served_by = "generator"

    def __init__(self, channel: grpc.aio.Channel, *, seconds: float = 60.0) -> None:
        self._stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        self._seconds = seconds

    async def try_version(self, role: str, version: str) -> None:
        """See VersionProbe."""
        request = generator_pb2.TryVersionRequest(version=version, role=role)
        await call(self._stub.TryVersion, request, timeout=self._seconds)
