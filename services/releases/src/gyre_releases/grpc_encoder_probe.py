"""Tries an encoder by the embedder's RPC."""

import grpc.aio
from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre_common.events.releases import Roles
from gyre_common.rpc import call

_TEXT = "What does a new encoder make of this?"


class GrpcEncoderProbe:
    """Implements the EncoderProbe port. Loading may take a while, so `seconds` is generous."""

    def __init__(self, channel: grpc.aio.Channel, *, seconds: float = 20.0) -> None:
        self._stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        self._seconds = seconds

    async def encode(self, role: str, version: str) -> None:
        """See EncoderProbe."""
        of_queries = role == Roles.QUERY_ENCODER
        side = embedder_pb2.SIDE_QUERY if of_queries else embedder_pb2.SIDE_DOCUMENT
        request = embedder_pb2.EmbedRequest(texts=[_TEXT], version=version, side=side)
        await call(self._stub.Embed, request, timeout=self._seconds)
