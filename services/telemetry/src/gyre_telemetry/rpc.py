"""The gRPC edge: what people read, and the dead letters."""

from collections.abc import Sequence
from datetime import UTC, datetime

from gyre.telemetry.v1 import telemetry_pb2 as pb
from gyre.telemetry.v1 import telemetry_pb2_grpc
from gyre_common.bus.dead_letters import Verdict
from gyre_common.errors import InvalidInput
from gyre_common.rpc import ServicerContext, request_context

from gyre_telemetry.clickhouse_redaction import ClickHouseRedaction
from gyre_telemetry.dead_letter_filter import LetterFilter
from gyre_telemetry.dead_letters import DeadLetterDesk, ShownLetter, WaitingLetters
from gyre_telemetry.history_reader import HistoryReader
from gyre_telemetry.rebuild import Rebuild


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
        """How many of each topic wait, or of one those that match."""
        if request.topic:
            counted = await self._desk.count(request.topic, _filter(request.filter))
            return pb.ListDeadLettersResponse(
                topics=[_topic(counted)], next_start=counted.next_start
            )
        if request.HasField("filter"):
            raise InvalidInput("topic", "is missing", "name the one that the filter is for")
        return pb.ListDeadLettersResponse(topics=map(_topic, await self._desk.waiting()))

    async def Show(
        self, request: pb.ShowDeadLettersRequest, context: ServicerContext
    ) -> pb.ShowDeadLettersResponse:
        """Those of one topic, newest first."""
        chosen = _filter(request.filter)
        shown, next_end = await self._desk.newest(
            request.topic, request.limit, chosen, decided=request.decided
        )
        return pb.ShowDeadLettersResponse(dead_letters=map(_dead_letter, shown), next_end=next_end)

    async def Replay(
        self, request: pb.ReplayDeadLettersRequest, context: ServicerContext
    ) -> pb.ReplayDeadLettersResponse:
        """Send them to their topic again."""
        decided, next_start = await self._decide(Verdict.REPLAYED, request)
        return pb.ReplayDeadLettersResponse(dead_letters=decided, next_start=next_start)

    async def Drop(
        self, request: pb.DropDeadLettersRequest, context: ServicerContext
    ) -> pb.DropDeadLettersResponse:
        """Let them be."""
        decided, next_start = await self._decide(Verdict.DROPPED, request)
        return pb.DropDeadLettersResponse(dead_letters=decided, next_start=next_start)

    async def _decide(
        self, verdict: Verdict, request: pb.ReplayDeadLettersRequest | pb.DropDeadLettersRequest
    ) -> tuple[Sequence[pb.DecidedDeadLetter], int]:
        decided, next_start = await self._desk.decide(
            verdict,
            request.topic,
            offsets=request.offsets,
            chosen=_filter(request.filter),
            actor=request.actor,
            reason=request.reason,
        )
        return [pb.DecidedDeadLetter(**vars(one)) for one in decided], next_start

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


def _filter(given: pb.DeadLetterFilter) -> LetterFilter:
    return LetterFilter(
        cause=given.cause,
        tenant=given.tenant,
        since=_moment(given, "since"),
        until=_moment(given, "until"),
        start=given.start,
        end=given.end,
    )


def _moment(given: pb.DeadLetterFilter, name: str) -> datetime | None:
    try:
        return getattr(given, name).ToDatetime(UTC) if given.HasField(name) else None
    except (ValueError, OverflowError) as error:
        raise InvalidInput(name, "is in no calendar", "give a time of our days") from error


def _topic(waiting: WaitingLetters) -> pb.DeadLetterTopic:
    return pb.DeadLetterTopic(
        topic=waiting.topic,
        count=waiting.count,
        oldest_parked_at=waiting.oldest,
        end=waiting.end,
    )


def _dead_letter(shown: ShownLetter) -> pb.DeadLetter:
    letter, cause, decision = shown.letter, None, None
    if letter.cause is not None:
        fields = {field.name for field in pb.DeadLetterCause.DESCRIPTOR.fields}
        cause = {name: what for name, what in vars(letter.cause).items() if name in fields}
    if shown.decision is not None:
        decision = pb.DeadLetterDecision(
            verdict=shown.decision.verdict,
            actor=shown.decision.actor,
            reason=shown.decision.reason,
            decided_at=shown.decision.parked_at,
        )
    return pb.DeadLetter(
        offset=letter.offset,
        parked_at=letter.parked_at,
        key=letter.key,
        value=letter.value,
        value_bytes=shown.value_bytes,
        cause=cause,
        decision=decision,
    )
