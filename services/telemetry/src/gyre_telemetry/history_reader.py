"""What people read of what happened: one interaction, the list of them, and the named views."""

import asyncio
import base64
import binascii
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from google.protobuf.json_format import ParseDict
from gyre.telemetry.v1 import telemetry_pb2 as pb
from gyre_common.context import RequestContext
from gyre_common.errors import InvalidInput, NotFound
from gyre_common.events.interactions import Outcome
from gyre_common.lines import check_line

JsonRow = Mapping[str, object]
"""A value of each column, by its name, as JSON has them: times are RFC 3339 in UTC."""

Position = tuple[str, ...]
"""The sorting key of the last row of a page, as text."""

DEFAULT_PAGE, LARGEST_PAGE = 100, 1_000
LANDING_SECONDS = 5.0
"""An answer reaches ClickHouse a moment after it was given: so long it is waited for."""

_POLL_SECONDS = 0.2
_LONGEST_NAME, _LONGEST_SEARCH = 128, 200
_LONGEST_TOKEN = 4096
_ID_PREFIX = re.compile(r"[0-9a-f-]{4,36}")


class Vote(StrEnum):
    """What people said of an answer; several may have said both."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


@dataclass(frozen=True)
class View:
    """What is read by page. Its first key is the time by which it is read."""

    keys: tuple[str, ...]
    shared: bool = False
    """It also has rows of the default of all tenants (tenant `*`), which every tenant may read."""


VIEWS: Mapping[str, View] = {
    "daily_quality": View(("day",)),
    "version_quality": View(("last_used", "role", "version")),
    "daily_version_quality": View(("day", "role", "version")),
    "daily_latency": View(("day", "stage")),
    "version_latency": View(("last_used", "role", "version", "stage")),
    "cost": View(("day", "generator")),
    "freshness": View(("hour",)),
    "loop": View(("released_at", "role", "version", "tenant"), shared=True),
    "waiting_votes": View(("last_vote_at",)),
    "release_changes": View(("time", "role", "generation", "tenant"), shared=True),
}
"""Those that people name."""

INTERACTIONS = "interactions"
LISTS: Mapping[str, View] = {INTERACTIONS: View(("time", "interaction_id")), **VIEWS}


ListRequest = pb.ListInteractionsRequest | pb.SeriesRequest


def list_name(request: ListRequest) -> str:
    """Which of `LISTS` is asked for."""
    return request.view if isinstance(request, pb.SeriesRequest) else INTERACTIONS


class HistoryStore(Protocol):
    """Everything that has landed. Each method raises Unavailable when the store is away.

    An interaction is there for its actor, and for callers whose groups meet every document that was
    retrieved for it.
    """

    async def interaction(
        self, caller: RequestContext, interaction_id: UUID, *, actor: str
    ) -> JsonRow | None:
        """The interaction with its passages, verdicts and feedback; None before it has landed."""

    async def columns(self, view: str) -> Sequence[JsonRow]:
        """Name, type and description of each column of a view of `VIEWS`."""

    async def page(
        self, caller: RequestContext, request: ListRequest, *, after: Position, limit: int
    ) -> Sequence[tuple[Position, JsonRow]]:
        """Rows of one of `LISTS`, newest first, each with its position, only those behind `after`.
        Interactions are summaries.
        """


class HistoryReader:
    """Answers for the tenant of the caller alone. Raises InvalidInput."""

    def __init__(self, history: HistoryStore, *, landing_seconds: float = LANDING_SECONDS) -> None:
        self._history = history
        self._landing_seconds = landing_seconds

    async def interaction(
        self, caller: RequestContext, request: pb.GetInteractionRequest
    ) -> pb.GetInteractionResponse:
        """The whole story of one answer, which is waited for where it is on its way. Raises
        NotFound where there is none for this reader, or it does not land in time.
        """
        try:
            uuid = UUID(request.interaction_id)
        except ValueError:
            fix = "give the interaction_id of the answer"
            raise InvalidInput("interaction_id", "is not a UUID", fix) from None
        deadline = time.monotonic() + self._landing_seconds
        while (row := await self._history.interaction(caller, uuid, actor=request.actor)) is None:
            if time.monotonic() > deadline:
                raise NotFound(
                    f"tenant {caller.tenant} has no answer {uuid} for this reader: check the id "
                    "and the tenant, and send the actor who asked or the groups that may read it; "
                    "if it was given just now, see whether telemetry is behind (`gyre status`)"
                )
            await asyncio.sleep(_POLL_SECONDS)
        return ParseDict({"interaction": row}, pb.GetInteractionResponse())

    async def interactions(
        self, caller: RequestContext, request: pb.ListInteractionsRequest
    ) -> pb.ListInteractionsResponse:
        """One page of the interactions."""
        _check_filters(request)
        rows, token = await self._page(caller, request)
        reply = {"interactions": rows, "next_page_token": token}
        return ParseDict(reply, pb.ListInteractionsResponse())

    async def series(self, caller: RequestContext, request: pb.SeriesRequest) -> pb.SeriesResponse:
        """The columns of a view and one page of its rows."""
        view = request.view
        if view not in VIEWS:
            *first, last = VIEWS
            problem = f"{view!r} is unknown" if view else "is missing"
            raise InvalidInput("view", problem, f"name {', '.join(first)} or {last}")
        rows, token = await self._page(caller, request)
        columns = await self._history.columns(view)
        reply = {"columns": columns, "rows": rows, "next_page_token": token}
        return ParseDict(reply, pb.SeriesResponse())

    async def _page(
        self, caller: RequestContext, request: ListRequest
    ) -> tuple[Sequence[JsonRow], str]:
        name, size = list_name(request), request.page_size
        if not 0 <= size <= LARGEST_PAGE:
            raise InvalidInput("page_size", f"is {size}", f"ask for 1 to {LARGEST_PAGE}")
        limit, after = size or DEFAULT_PAGE, _position(name, request.page_token)
        rows = await self._history.page(caller, request, after=after, limit=limit)
        token = json.dumps([name, *rows[-1][0]]) if len(rows) == limit else ""
        return [row for _, row in rows], base64.urlsafe_b64encode(token.encode()).decode()


def _check_filters(request: pb.ListInteractionsRequest) -> None:
    if request.id_prefix and not _ID_PREFIX.fullmatch(request.id_prefix):
        fix = "give 4 characters or more of a UUID"
        raise InvalidInput("id_prefix", "is no beginning of an id", fix)
    for field, names in (("outcome", Outcome), ("vote", Vote)):
        value: str = getattr(request, field)
        if value and value not in list(names):
            *first, last = names
            raise InvalidInput(
                field, f"{value[:40]!r} is unknown", f"say {', '.join(first)} or {last}"
            )
    check_line("conversation_id", request.conversation_id, most=_LONGEST_NAME)
    check_line("version", request.version, most=_LONGEST_NAME)
    check_line("search", request.search, most=_LONGEST_SEARCH)


def _position(name: str, page_token: str) -> Position:
    """Where the page before ended; a token of another list is none of this one."""
    if not page_token:
        return ()
    try:
        if len(page_token) > _LONGEST_TOKEN:  # JSON that is deep enough ends a reader of JSON
            raise ValueError
        parts = json.loads(base64.b64decode(page_token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        parts = None
    match parts:
        case [str(list_name), *position] if list_name == name:
            if len(position) == len(LISTS[name].keys) and all(isinstance(p, str) for p in position):
                return tuple(position)
    raise InvalidInput(
        "page_token", "is not one of ours", "send next_page_token of the page before, or nothing"
    )
