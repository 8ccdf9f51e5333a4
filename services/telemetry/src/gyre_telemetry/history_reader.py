"""What people read of what happened: one interaction, the list of them, and the named views."""

import asyncio
import base64
import binascii
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from gyre_common.context import RequestContext
from gyre_common.errors import InvalidInput, NotFound

JsonRow = Mapping[str, object]
"""A value of each column, by its name, as JSON has them: times are RFC 3339 in UTC."""

Position = tuple[str, ...]
"""The sorting key of the last row of a page, as text."""

DEFAULT_PAGE, LARGEST_PAGE = 100, 1_000
LANDING_SECONDS = 5.0
"""An answer reaches ClickHouse a moment after it was given: so long it is waited for."""

_POLL_SECONDS = 0.2
_ID_PREFIX = re.compile(r"[0-9a-f-]{4,36}")
_INTERACTIONS = "interactions"


@dataclass(frozen=True)
class View:
    """A view that people start from. Its first key is the time by which it is read."""

    keys: tuple[str, ...]
    shared: bool = False
    """It also has rows of the default of all tenants (tenant `*`), which every tenant may read."""


VIEWS: Mapping[str, View] = MappingProxyType(
    {
        "daily_quality": View(("day",)),
        "version_quality": View(("last_used", "role", "version")),
        "cost": View(("day", "generator")),
        "freshness": View(("hour",)),
        "loop": View(("released_at", "role", "version", "tenant"), shared=True),
    }
)


@dataclass(frozen=True)
class TimeRange:
    """From `since` on and before `until`; None for no bound."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Column:
    """A column of a view."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Page:
    """Some rows, newest first, and the token of the next page ("" after the last)."""

    rows: Sequence[JsonRow]
    next_page_token: str


class History(Protocol):
    """Everything that has landed. Each method raises Unavailable when the store is away.

    Rows come newest first, at most `limit` of them, and only those behind `after`.
    """

    async def interaction(self, tenant: str, interaction_id: UUID) -> JsonRow | None:
        """The interaction with its passages, verdicts and feedback; None before it has landed."""

    async def interactions(
        self, tenant: str, span: TimeRange, id_prefix: str, *, after: Position, limit: int
    ) -> Sequence[tuple[Position, JsonRow]]:
        """Interactions, each with its position."""

    async def columns(self, name: str) -> Sequence[Column]:
        """Those of a view of `VIEWS`."""

    async def view(
        self, tenant: str, name: str, span: TimeRange, *, after: Position, limit: int
    ) -> Sequence[tuple[Position, JsonRow]]:
        """Rows of a view of `VIEWS`, each with its position."""


class HistoryReader:
    """Answers for the tenant of the caller alone."""

    def __init__(self, history: History, *, landing_seconds: float = LANDING_SECONDS) -> None:
        self._history = history
        self._landing_seconds = landing_seconds

    async def interaction(self, caller: RequestContext, interaction_id: str) -> JsonRow:
        """The whole story of one answer, which is waited for where it is on its way.

        Raises:
            InvalidInput: the id is malformed.
            NotFound: the tenant has no such answer, or it has not landed in time.
        """
        uuid = _uuid(interaction_id)
        deadline = time.monotonic() + self._landing_seconds
        while (row := await self._history.interaction(caller.tenant, uuid)) is None:
            if time.monotonic() > deadline:
                raise NotFound(
                    f"tenant {caller.tenant} has no answer {uuid}: check the id and the tenant; "
                    "if it was given just now, see whether telemetry is behind (`gyre status`)"
                )
            await asyncio.sleep(_POLL_SECONDS)
        return row

    async def interactions(
        self,
        caller: RequestContext,
        span: TimeRange,
        *,
        id_prefix: str,
        page_size: int,
        page_token: str,
    ) -> Page:
        """One page of the interactions. Raises InvalidInput."""
        if id_prefix and not _ID_PREFIX.fullmatch(id_prefix):
            raise InvalidInput(
                "id_prefix", "is no beginning of an id", "give 4 characters or more of a UUID"
            )
        limit = _limit(page_size)
        after = _position(_INTERACTIONS, page_token, size=2)
        rows = await self._history.interactions(
            caller.tenant, span, id_prefix, after=after, limit=limit
        )
        return _page(_INTERACTIONS, rows, limit)

    async def series(
        self,
        caller: RequestContext,
        view: str,
        span: TimeRange,
        *,
        page_size: int,
        page_token: str,
    ) -> tuple[Sequence[Column], Page]:
        """The columns of a view and one page of its rows. Raises InvalidInput."""
        if view not in VIEWS:
            raise InvalidInput(
                "view", f"{view!r} is unknown" if view else "is missing", f"name {_any_of(VIEWS)}"
            )
        limit = _limit(page_size)
        after = _position(view, page_token, size=len(VIEWS[view].keys))
        columns = await self._history.columns(view)
        rows = await self._history.view(caller.tenant, view, span, after=after, limit=limit)
        return columns, _page(view, rows, limit)


def _any_of(names: Mapping[str, View]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput(
            "interaction_id", "is not a UUID", "give the interaction_id of the answer"
        ) from None


def _limit(page_size: int) -> int:
    if not 0 <= page_size <= LARGEST_PAGE:
        raise InvalidInput("page_size", f"is {page_size}", f"ask for 1 to {LARGEST_PAGE}")
    return page_size or DEFAULT_PAGE


def _page(list_name: str, positioned: Sequence[tuple[Position, JsonRow]], limit: int) -> Page:
    rows = [row for _, row in positioned]
    return Page(rows, _token(list_name, positioned[-1][0]) if len(positioned) == limit else "")


def _token(list_name: str, position: Position) -> str:
    return base64.urlsafe_b64encode(json.dumps([list_name, *position]).encode()).decode()


def _position(list_name: str, page_token: str, *, size: int) -> Position:
    """What `_token` wrote; a token of another list is none of this one."""
    if not page_token:
        return ()
    try:
        parts = json.loads(base64.b64decode(page_token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        parts = None
    match parts:
        case [str(name), *position] if name == list_name and len(position) == size:
            if all(isinstance(part, str) for part in position):
                return tuple(position)
    raise InvalidInput(
        "page_token", "is not one of ours", "send next_page_token of the page before, or nothing"
    )
