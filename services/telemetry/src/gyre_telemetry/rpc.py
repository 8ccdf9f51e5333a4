"""The gRPC edge: what people read, and the dead letters."""

from datetime import UTC

from gyre.telemetry.v1 import telemetry_pb2 as pb
from gyre.telemetry.v1 import telemetry_pb2_grpc
from gyre_common.bus.dead_letters import DeadLetter
from gyre_common.rpc import ServicerContext, request_context

from gyre_telemetry.clickhouse_redaction import ClickHouseRedaction
from gyre_telemetry.dead_letters import DeadLetterDesk
from gyre_telemetry.history_reader import HistoryReader
from gyre_telemetry.rebuild import Rebuild

LONGEST_VALUE = 64 * 1024
_VALUES_BYTES = 2 * 1024 * 1024  # of all records of a reply together


class TelemetryRpc(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Serves gyre.telemetry.v1.TelemetryService."""

    def __init__(
        self, reader: HistoryReader, redaction: ClickHouseRedaction, rebuild: Rebuild
    ) -> None:
        self._reader = reader
        self._redaction = redaction
        self._rebuild = rebuild

    async def GetInteraction(
        self, request: pb.GetInteractionRequest, context: ServicerContext
    ) -> pb.GetInteractionResponse:
        """Everything that is known of one answer."""
        return await self._reader.interaction(request_context(), request)

    async def ListInteractions(
        self, request: pb.ListInteractionsRequest, context: ServicerContext
    ) -> pb.ListInteractionsResponse:
        """One page, newest first."""
        return await self._reader.interactions(request_context(), request)

    async def Series(
        self, request: pb.SeriesRequest, context: ServicerContext
    ) -> pb.SeriesResponse:
        """One page of a view, newest first."""
        return await self._reader.series(request_context(), request)

    async def Redact(
        self, request: pb.RedactRequest, context: ServicerContext
    ) -> pb.RedactResponse:
        """Rewrites rows of before."""
        since = request.since.ToDatetime(tzinfo=UTC)
        async with self._rebuild.standing_still():
            rows = await self._redaction.redact(request_context().tenant, since)
        return pb.RedactResponse(rows=rows)

    async def StartRebuild(
        self, request: pb.StartRebuildRequest, context: ServicerContext
    ) -> pb.StartRebuildResponse:
        """Fills the tables anew, or goes on with it."""
        return pb.StartRebuildResponse(
            rebuild_id=str(await self._rebuild.start(swap=not request.keep_live))
        )

    async def GetRebuild(
        self, request: pb.GetRebuildRequest, context: ServicerContext
    ) -> pb.GetRebuildResponse:
        """How far that is."""
        last, runs = await self._rebuild.progress()
        if last is None:
            return pb.GetRebuildResponse(state=pb.REBUILD_STATE_NONE)
        return pb.GetRebuildResponse(
            state=f"REBUILD_STATE_{last.state.name}",
            runs=runs,
            rebuild_id=str(last.rebuild_id),
            records_read=last.records_read,
            records=last.records,
            records_left_out=last.left_out,
            rows_before=last.rows_before,
            rows_after=last.rows_after,
            problem=last.problem,
        )

    async def DropRebuild(
        self, request: pb.DropRebuildRequest, context: ServicerContext
    ) -> pb.DropRebuildResponse:
        """Gives it up."""
        await self._rebuild.drop()
        return pb.DropRebuildResponse()


class DeadLetterRpc(telemetry_pb2_grpc.DeadLetterServiceServicer):
    """Serves gyre.telemetry.v1.DeadLetterService."""

    def __init__(self, desk: DeadLetterDesk) -> None:
        self._desk = desk

    async def List(
        self, request: pb.ListDeadLettersRequest, context: ServicerContext
    ) -> pb.ListDeadLettersResponse:
        """How many each topic has."""
        counts = await self._desk.counts()
        topics = [pb.DeadLetterTopic(topic=topic, count=n) for topic, n in counts.items()]
        return pb.ListDeadLettersResponse(topics=topics)

    async def Show(
        self, request: pb.ShowDeadLettersRequest, context: ServicerContext
    ) -> pb.ShowDeadLettersResponse:
        """Those of one topic, newest first."""
        letters = await self._desk.newest(request.topic, request.limit)
        longest = min(LONGEST_VALUE, _VALUES_BYTES // max(len(letters), 1))
        return pb.ShowDeadLettersResponse(
            dead_letters=[_dead_letter(letter, longest) for letter in letters]
        )

    async def Skip(
        self, request: pb.SkipHeldRecordRequest, context: ServicerContext
    ) -> pb.SkipHeldRecordResponse:
        """Let a held partition go on."""
        skipped = await self._desk.skip(
            request.topic,
            request.partition,
            request.offset,
            actor=request.actor,
            reason=request.reason,
        )
        return pb.SkipHeldRecordResponse(
            skipped=[
                pb.SkippedRecord(group=record.group, cause=record.cause, goes_on=goes_on)
                for record, goes_on in skipped.items()
            ]
        )


def _dead_letter(letter: DeadLetter, longest: int) -> pb.DeadLetter:
    value, cause = letter.value, None
    if letter.cause is not None:
        fields = {field.name for field in pb.DeadLetterCause.DESCRIPTOR.fields}
        cause = {name: what for name, what in vars(letter.cause).items() if name in fields}
    return pb.DeadLetter(
        offset=letter.offset,
        parked_at=letter.parked_at,
        key=letter.key,
        value=None if value is None else value[:longest],
        value_bytes=len(value or b""),
        cause=cause,
    )
