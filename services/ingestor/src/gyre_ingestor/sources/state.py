"""What is remembered of each source, in the store: what was brought, and how far a sync is."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from gyre_common.errors import NotFound
from gyre_common.events.event import Timestamp, now
from gyre_common.events.sources import SourceEvent, SyncReason
from gyre_common.store import Shelf
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

log = logging.getLogger(__name__)

FOLDER = "sources"
MOST_PROBLEMS = 20
_FROZEN = ConfigDict(frozen=True, extra="ignore")


class SyncOutcome(StrEnum):
    """What a sync came to."""

    SUCCEEDED = "succeeded"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    STOPPED = "stopped"


class ItemProblem(BaseModel):
    """What could not be taken, and why."""

    model_config = _FROZEN

    name: str
    detail: str


class SyncCounts(BaseModel):
    """What was looked at, and what became of it."""

    listed: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    refused: int = 0
    unreadable: int = 0


class SyncRun(BaseModel):
    """One sync: under way, or ended. `part` is the part that is due; `touched_at` when it moved."""

    model_config = _FROZEN

    number: int
    generation: int
    reason: SyncReason
    began_at: Timestamp
    touched_at: Timestamp
    part: int = 0
    cursor: str = ""
    ended_at: Timestamp | None = None
    outcome: SyncOutcome | None = None
    counts: SyncCounts = Field(default_factory=SyncCounts)
    problems: tuple[ItemProblem, ...] = ()
    error: str = ""

    def ended(self, outcome: SyncOutcome, error: str = "") -> Self:
        """The same, once it is over."""
        at = now()
        return self.model_copy(
            update={
                "outcome": outcome,
                "error": error,
                "cursor": "",
                "ended_at": at,
                "touched_at": at,
            }
        )


class SourceProgress(BaseModel):
    """How far a source is: the sync under way, the last that ended, what is wanted after."""

    model_config = _FROZEN

    run: SyncRun | None = None
    last: SyncRun | None = None
    wanted_at: Timestamp | None = None
    documents: int = 0

    @property
    def began_at(self) -> datetime | None:
        """When the newest sync began."""
        newest = self.run or self.last
        return newest.began_at if newest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtItem:
    """An item as it was when it was submitted. `labels` stands for what the source adds to it,
    `about` for what the kind says of it, `run` for the last sync that saw it. One that was refused
    may be a document from before. There may be many, so they are small.
    """

    fingerprint: str
    labels: str = ""
    about: str = ""
    digest: str = ""
    run: int
    generation: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    is_document: bool = True


_ITEMS = TypeAdapter(dict[str, BroughtItem])


@dataclass(frozen=True)
class SourceKey:
    """A source of a tenant."""

    tenant: str
    name: str

    @classmethod
    def of(cls, event: SourceEvent) -> Self:
        """The source that an event speaks of."""
        return cls(event.tenant, event.name)


class SourceStates:
    """Keeps them under names of their own, progress apart from items: it is read much more often.

    Raises, from every method: Retryable when the store is full, read-only or out of reach.
    """

    def __init__(self, store_url: str) -> None:
        self._shelf = Shelf(store_url, FOLDER)

    async def progress(self, key: SourceKey) -> SourceProgress:
        """How far it is; of a source that was never synced, nothing."""
        try:
            return SourceProgress.model_validate_json(await self._shelf.get(_progress(key)))
        except NotFound:
            return SourceProgress()
        except ValidationError as error:
            _begins_anew(key, error)
            return SourceProgress()

    async def save_progress(self, key: SourceKey, progress: SourceProgress) -> None:
        """Returns once it is safe."""
        await self._shelf.replace(_progress(key), progress.model_dump_json().encode())

    async def items(self, key: SourceKey) -> dict[str, BroughtItem]:
        """What was brought, by name. What cannot be read is brought again, and changes nothing."""
        try:
            data = await self._shelf.get(_items(key))
            return await asyncio.to_thread(_ITEMS.validate_json, data)
        except NotFound:
            return {}
        except ValidationError as error:
            _begins_anew(key, error)
            return {}

    async def save_items(self, key: SourceKey, items: Mapping[str, BroughtItem]) -> None:
        """Returns once they are safe."""
        data = await asyncio.to_thread(_ITEMS.dump_json, dict(items), exclude_defaults=True)
        await self._shelf.replace(_items(key), data)

    async def delete(self, key: SourceKey) -> None:
        """Forget the source."""
        await self._shelf.delete(_items(key))
        await self._shelf.delete(_progress(key))


def _begins_anew(key: SourceKey, error: ValidationError) -> None:
    log.error(
        "what is remembered of a source cannot be read, so it begins anew",
        extra={"source": key.name, "problems": error.error_count()},
    )


def _progress(key: SourceKey) -> str:
    return f"{key.tenant}/{key.name}/progress.json"


def _items(key: SourceKey) -> str:
    return f"{key.tenant}/{key.name}/items.json"
