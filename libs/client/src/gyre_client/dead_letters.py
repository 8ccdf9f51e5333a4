"""The records that could not be handled."""

from collections.abc import Sequence

from gyre.telemetry.v1 import telemetry_pb2
from gyre.telemetry.v1.telemetry_pb2_grpc import DeadLetterServiceStub

from gyre_client.parts import LoopT, Part, method


class DeadLetters(Part[LoopT]):
    """For those who run the system: dead letters belong to no tenant."""

    stub, service = DeadLetterServiceStub, "telemetry"

    @method
    async def list(self) -> dict[str, int]:
        """How many each topic has."""
        reply: telemetry_pb2.ListDeadLettersResponse = await self._call(
            "List", telemetry_pb2.ListDeadLettersRequest()
        )
        return {one.topic: one.count for one in reply.topics}

    @method
    async def show(self, topic: str, *, limit: int = 10) -> Sequence[telemetry_pb2.DeadLetter]:
        """Those of one topic, newest first. Raises NotFound, which names the topics there are."""
        request = telemetry_pb2.ShowDeadLettersRequest(topic=topic, limit=limit)
        reply: telemetry_pb2.ShowDeadLettersResponse = await self._call("Show", request)
        return reply.dead_letters

    @method
    async def skip(
        self, topic: str, partition: int, offset: int, *, actor: str, reason: str
    ) -> Sequence[telemetry_pb2.SkippedRecord]:
        """Let a held partition go on; who and why are kept.

        Raises NotFound or FailedPrecondition, which name what is held, when that record is not.
        """
        request = telemetry_pb2.SkipHeldRecordRequest(
            topic=topic, partition=partition, offset=offset, actor=actor, reason=reason
        )
        reply: telemetry_pb2.SkipHeldRecordResponse = await self._call("Skip", request)
        return reply.skipped
