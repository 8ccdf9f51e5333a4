"""The gRPC edge: what people read, and the dead letters."""

from datetime import UTC

from google.protobuf.json_format import ParseDict
from gyre.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from gyre_common.bus.dead_letters import DeadLetter
from gyre_common.rpc import ServicerContext, request_context

from gyre_telemetry.dead_letters import DeadLetterDesk, value_limit
from gyre_telemetry.history_reader import HistoryReader, TimeRange


class TelemetryRpc(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Serves gyre.telemetry.v1.TelemetryService."""

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader

    async def GetInteraction(
        self, request: telemetry_pb2.GetInteractionRequest, context: ServicerContext
    ) -> telemetry_pb2.GetInteractionResponse:
        """Everything that is known of one answer."""
        row = await self._reader.interaction(request_context(), request.interaction_id)
        return ParseDict({"interaction": row}, telemetry_pb2.GetInteractionResponse())

    async def ListInteractions(
        self, request: telemetry_pb2.ListInteractionsRequest, context: ServicerContext
    ) -> telemetry_pb2.ListInteractionsResponse:
        """One page, newest first."""
        page = await self._reader.interactions(
            request_context(),
            _span(request),
            id_prefix=request.id_prefix,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return telemetry_pb2.ListInteractionsResponse(
            interactions=[
                ParseDict(dict(row), telemetry_pb2.InteractionSummary()) for row in page.rows
            ],
            next_page_token=page.next_page_token,
        )

    async def Series(
        self, request: telemetry_pb2.SeriesRequest, context: ServicerContext
    ) -> telemetry_pb2.SeriesResponse:
        """One page of a view, newest first."""
        columns, page = await self._reader.series(
            request_context(),
            request.view,
            _span(request),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return ParseDict(
            {
                "columns": [vars(column) for column in columns],
                "rows": list(page.rows),
                "next_page_token": page.next_page_token,
            },
            telemetry_pb2.SeriesResponse(),
        )


class DeadLetterRpc(telemetry_pb2_grpc.DeadLetterServiceServicer):
    """Serves gyre.telemetry.v1.DeadLetterService."""

    def __init__(self, desk: DeadLetterDesk) -> None:
        self._desk = desk

    async def List(
        self, request: telemetry_pb2.ListDeadLettersRequest, context: ServicerContext
    ) -> telemetry_pb2.ListDeadLettersResponse:
        """How many each topic has."""
        counts = await self._desk.counts()
        return telemetry_pb2.ListDeadLettersResponse(
            topics=[
                telemetry_pb2.DeadLetterTopic(topic=topic, count=count)
                for topic, count in counts.items()
            ]
        )

    async def Show(
        self, request: telemetry_pb2.ShowDeadLettersRequest, context: ServicerContext
    ) -> telemetry_pb2.ShowDeadLettersResponse:
        """Those of one topic, newest first."""
        letters = await self._desk.newest(request.topic, request.limit)
        longest = value_limit(len(letters))
        return telemetry_pb2.ShowDeadLettersResponse(
            dead_letters=[_dead_letter(letter, longest) for letter in letters]
        )

    async def Skip(
        self, request: telemetry_pb2.SkipHeldRecordRequest, context: ServicerContext
    ) -> telemetry_pb2.SkipHeldRecordResponse:
        """Let a held partition go on."""
        skipped = await self._desk.skip(
            request.topic,
            request.partition,
            request.offset,
            actor=request.actor,
            reason=request.reason,
        )
        return telemetry_pb2.SkipHeldRecordResponse(
            skipped=[
                telemetry_pb2.SkippedRecord(group=record.group, cause=record.cause, goes_on=goes_on)
                for record, goes_on in skipped.items()
            ]
        )


def _span(
    request: telemetry_pb2.ListInteractionsRequest | telemetry_pb2.SeriesRequest,
) -> TimeRange:
    return TimeRange(
        since=request.since.ToDatetime(UTC) if request.HasField("since") else None,
        until=request.until.ToDatetime(UTC) if request.HasField("until") else None,
    )


def _dead_letter(letter: DeadLetter, longest: int) -> telemetry_pb2.DeadLetter:
    value, cause = letter.value, letter.cause
    message = telemetry_pb2.DeadLetter(
        offset=letter.offset,
        parked_at=letter.parked_at,
        key=letter.key,
        value=None if value is None else value[:longest],
        value_bytes=len(value or b""),
    )
    if cause is not None:
        message.cause.CopyFrom(
            telemetry_pb2.DeadLetterCause(
                kind=cause.kind,
                error=cause.error,
                message=cause.message,
                topic=cause.topic,
                partition=cause.partition,
                offset=cause.offset,
                attempts=cause.attempts,
                group=cause.group,
                digest=cause.digest,
                size=cause.size,
            )
        )
    return message
