"""Tries an encoder by the embedder's RPC."""

from collections.abc import Mapping
from types import MappingProxyType

import grpc.aio
from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre_common.events.releases import Roles
from gyre_common.rpc import call

_SIDES: Mapping[str, embedder_pb2.Side] = MappingProxyType(
    {
        Roles.QUERY_ENCODER: embedder_pb2.SIDE_QUERY,
        Roles.DOCUMENT_ENCODER: embedder_pb2.SIDE_DOCUMENT,
    }
)
_TEXT = "What does a new encoder make of this?"


class GrpcEncoderProbe:
    """Implements the EncoderProbe port. Loading may take a while, so `seconds` is generous."""

    def __init__(self, channel: grpc.aio.Channel, *, seconds: float = 20.0) -> None:
        self._stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        self._seconds = seconds

    async def encode(self, role: str, version: str) -> None:
        """See EncoderProbe."""
        request = embedder_pb2.EmbedRequest(texts=[_TEXT], version=version, side=_SIDES[role])
        await call(self._stub.Embed, request, timeout=self._seconds)
