"""The records that could not be handled."""

from collections.abc import AsyncGenerator, Sequence

from gyre.telemetry.v1 import telemetry_pb2
from gyre.telemetry.v1.telemetry_pb2_grpc import DeadLetterServiceStub

from gyre_client.parts import LoopT, Part, method, stream


class DeadLetters(Part[LoopT]):
    """For those who run the system: dead letters belong to no tenant."""

    stub, service = DeadLetterServiceStub, "telemetry"

    @method
    async def list(self) -> Sequence[telemetry_pb2.DeadLetterTopic]:
        """How many of each topic wait for a decision, and since when."""
        reply: telemetry_pb2.ListDeadLettersResponse = await self._call(
            "List", telemetry_pb2.ListDeadLettersRequest()
        )
        return reply.topics

    @method
    async def count(
        self, topic: str, chosen: telemetry_pb2.DeadLetterFilter
    ) -> telemetry_pb2.DeadLetterTopic:
        """How many of one topic wait and match. Raises NotFound, which names the topics there
        are.
        """
        request = telemetry_pb2.ListDeadLettersRequest(topic=topic, filter=chosen)
        total: telemetry_pb2.DeadLetterTopic | None = None
        while True:
            reply: telemetry_pb2.ListDeadLettersResponse = await self._call("List", request)
            (counted,) = reply.topics
            if total is None:
                total = counted
                request.filter.end = chosen.end or counted.end
            else:
                total.count += counted.count
                if not total.HasField("oldest_parked_at") and counted.HasField("oldest_parked_at"):
                    total.oldest_parked_at.CopyFrom(counted.oldest_parked_at)
            if reply.next_start <= request.filter.start:  # 0, or one that gets nowhere
                return total
            request.filter.start = reply.next_start

    @method
    async def show(
        self,
        topic: str,
        *,
        limit: int = 10,
        chosen: telemetry_pb2.DeadLetterFilter | None = None,
        decided: bool = False,
    ) -> Sequence[telemetry_pb2.DeadLetter]:
        """Those of one topic that wait and match, newest first; with `decided`, the others too.
        Raises NotFound, which names the topics there are.
        """
        request = telemetry_pb2.ShowDeadLettersRequest(
            topic=topic, limit=limit, filter=chosen, decided=decided
        )
        letters: list[telemetry_pb2.DeadLetter] = []
        while True:
            reply: telemetry_pb2.ShowDeadLettersResponse = await self._call("Show", request)
            letters += reply.dead_letters
            request.limit = limit - len(letters)
            goes_on = reply.next_end and reply.next_end != request.filter.end
            if not goes_on or request.limit <= 0:
                return letters
            request.filter.end = reply.next_end

    @stream
    async def replay(
        self,
        topic: str,
        offsets: Sequence[int] = (),
        *,
        chosen: telemetry_pb2.DeadLetterFilter | None = None,
        actor: str = "",
        reason: str = "",
    ) -> AsyncGenerator[telemetry_pb2.DecidedDeadLetter, None]:
        """Sends letters to their topic again, by their offsets (at most 100) or all that wait and
        match; yields what became of each. Done twice it changes nothing.

        Raises NotFound, which names the topics there are; InvalidInput.
        """
        request = telemetry_pb2.ReplayDeadLettersRequest(
            topic=topic, offsets=offsets, filter=chosen, actor=actor or self._actor, reason=reason
        )
        async for one in self._decide("Replay", request):
            yield one

    @stream
    async def drop(
        self,
        topic: str,
        offsets: Sequence[int] = (),
        *,
        chosen: telemetry_pb2.DeadLetterFilter | None = None,
        actor: str = "",
        reason: str,
    ) -> AsyncGenerator[telemetry_pb2.DecidedDeadLetter, None]:
        """Decides that letters need nothing more; who and why are kept. As `replay`."""
        request = telemetry_pb2.DropDeadLettersRequest(
            topic=topic, offsets=offsets, filter=chosen, actor=actor or self._actor, reason=reason
        )
        async for one in self._decide("Drop", request):
            yield one

    async def _end(self, topic: str, chosen: telemetry_pb2.DeadLetterFilter) -> int:
        request = telemetry_pb2.ListDeadLettersRequest(topic=topic, filter=chosen)
        reply: telemetry_pb2.ListDeadLettersResponse = await self._call("List", request)
        (counted,) = reply.topics
        return counted.end

    async def _decide(
        self,
        rpc: str,
        request: telemetry_pb2.ReplayDeadLettersRequest | telemetry_pb2.DropDeadLettersRequest,
    ) -> AsyncGenerator[telemetry_pb2.DecidedDeadLetter, None]:
        if not request.offsets and not request.filter.end:
            # What is parked meanwhile, as a letter may be once more that is replayed, is not meant.
            request.filter.end = await self._end(request.topic, request.filter)
        while True:
            reply: (
                telemetry_pb2.ReplayDeadLettersResponse | telemetry_pb2.DropDeadLettersResponse
            ) = await self._call(rpc, request)
            for one in reply.dead_letters:
                yield one
            if reply.next_start <= request.filter.start:  # 0, or one that gets nowhere
                return
            request.filter.start = reply.next_start

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
