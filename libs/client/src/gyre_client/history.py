"""What happened: one interaction, all of them, and the named views."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from google.protobuf.json_format import MessageToDict
from gyre.telemetry.v1 import telemetry_pb2
from gyre.telemetry.v1.telemetry_pb2_grpc import TelemetryServiceStub

from gyre_client.errors import InvalidInput, NotFound
from gyre_client.parts import LoopT, Part, method, stream

_PAGE = 500
_MOST_NAMED = 5
_REDACT_SECONDS = 600.0


class InteractionFilters(TypedDict, total=False):
    """What bounds a list of interactions, as in ListInteractionsRequest; empty for no bound."""

    since: datetime | None
    until: datetime | None
    conversation_id: str
    outcome: str
    version: str
    vote: str
    search: str


class History(Part[LoopT]):
    """Of the caller's tenant; interactions only where it asked, or where its groups meet all
    documents that were retrieved.
    """

    stub, service = TelemetryServiceStub, "telemetry"

    @method
    async def explain(self, interaction_id: str) -> telemetry_pb2.Interaction:
        """Everything that is known of one answer; one given just now is waited for, up to 5 s.

        Raises NotFound.
        """
        request = telemetry_pb2.GetInteractionRequest(
            interaction_id=interaction_id, actor=self._actor
        )
        reply: telemetry_pb2.GetInteractionResponse = await self._call("GetInteraction", request)
        return reply.interaction

    @method
    async def interaction_id(self, beginning: str) -> str:
        """The one whose id begins so (4 characters or more).

        Raises NotFound; InvalidInput, which names some, where there are several.
        """
        request = telemetry_pb2.ListInteractionsRequest(
            id_prefix=beginning.lower(), page_size=_MOST_NAMED, actor=self._actor
        )
        reply: telemetry_pb2.ListInteractionsResponse = await self._call(
            "ListInteractions", request
        )
        return only_match([one.interaction_id for one in reply.interactions], beginning, "answer")

    @method
    async def redact(
        self,
        since: datetime | None = None,
        *,
        timeout: float = _REDACT_SECONDS,  # noqa: ASYNC109
    ) -> dict[str, int]:
        """Rewrites the rows from then on as the tenant's choice for personal data says today;
        returns how many, by table.

        Raises FailedPrecondition: the choice is to keep it.
        """
        request = telemetry_pb2.RedactRequest()
        if since is not None:
            request.since.FromDatetime(since)
        reply: telemetry_pb2.RedactResponse = await self._call("Redact", request, timeout=timeout)
        return dict(reply.rows)

    @method
    async def start_rebuild(self, *, swap: bool = True) -> str:
        """Fills all tables anew, of every tenant, or goes on with it, and makes them live unless
        `swap` is false; returns the rebuild's id. Raises FailedPrecondition: rows are redacted now.
        """
        request = telemetry_pb2.StartRebuildRequest(keep_live=not swap)
        reply: telemetry_pb2.StartRebuildResponse = await self._call("StartRebuild", request)
        return reply.rebuild_id

    @method
    async def rebuild(self) -> telemetry_pb2.GetRebuildResponse:
        """How far the last rebuild is."""
        request = telemetry_pb2.GetRebuildRequest()
        reply: telemetry_pb2.GetRebuildResponse = await self._call("GetRebuild", request)
        return reply

    @method
    async def drop_rebuild(self) -> None:
        """Gives it up, and removes its tables. Raises FailedPrecondition: none is under way."""
        await self._call("DropRebuild", telemetry_pb2.DropRebuildRequest())

    @stream
    async def interactions(
        self, **filters: Unpack[InteractionFilters]
    ) -> AsyncGenerator[telemetry_pb2.InteractionSummary, None]:
        """Newest first, as far as you read. Raises InvalidInput."""
        request = telemetry_pb2.ListInteractionsRequest(
            page_size=_PAGE, actor=self._actor, **filters
        )
        async for page in self._pages("ListInteractions", request):
            for one in page.interactions:
                yield one

    @method
    async def page(
        self, *, page_size: int = 0, page_token: str = "", **filters: Unpack[InteractionFilters]
    ) -> telemetry_pb2.ListInteractionsResponse:
        """One page of `interactions`, and the token of the next. Raises InvalidInput."""
        request = telemetry_pb2.ListInteractionsRequest(
            page_size=page_size, page_token=page_token, actor=self._actor, **filters
        )
        reply: telemetry_pb2.ListInteractionsResponse = await self._call(
            "ListInteractions", request
        )
        return reply

    @stream
    async def series(
        self, view: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Rows of a view, newest first: a value of each column, by its name.

        Raises InvalidInput, which names the views there are.
        """
        request = telemetry_pb2.SeriesRequest(view=view, since=since, until=until, page_size=_PAGE)
        async for page in self._pages("Series", request):
            for row in page.rows:
                yield MessageToDict(row)

    @method
    async def series_page(
        self,
        view: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
    ) -> telemetry_pb2.SeriesResponse:
        """One page of `series`, what its columns are, and the token of the next page."""
        request = telemetry_pb2.SeriesRequest(
            view=view, since=since, until=until, page_size=page_size, page_token=page_token
        )
        reply: telemetry_pb2.SeriesResponse = await self._call("Series", request)
        return reply


def only_match(ids: Sequence[str], beginning: str, what: str) -> str:
    """Of these ids, which all begin so, the only one. Raises NotFound, InvalidInput."""
    if beginning in ids:
        return beginning
    if not ids:
        raise NotFound(f"no {what} has an id that begins with {beginning}: check it and the tenant")
    if len(ids) > 1:
        raise InvalidInput(
            beginning, f"begins several ids ({', '.join(ids[:_MOST_NAMED])})", "give more of it"
        )
    return ids[0]
