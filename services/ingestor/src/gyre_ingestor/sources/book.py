"""What callers may ask of sources: add, change, list, sync, pause, remove."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound
from gyre_common.events.event import now
from gyre_common.events.publisher import Publisher
from gyre_common.events.sources import (
    SOURCE_CHANGED,
    SYNC_REQUESTED,
    SourceChanged,
    SyncReason,
)
from pydantic import ValidationError

from gyre_ingestor.content import METADATA_CHARACTERS
from gyre_ingestor.sources.opening import SourceOpener
from gyre_ingestor.sources.schedule import next_sync_at, next_time
from gyre_ingestor.sources.source import SourceKind
from gyre_ingestor.sources.state import SourceKey, SourceProgress, SourceStates
from gyre_ingestor.sources.view import SourceView, sync_request


@dataclass(frozen=True)
class SourceStanding:
    """A source, and how far it is."""

    source: SourceChanged
    progress: SourceProgress

    @property
    def next_sync_at(self) -> datetime | None:
        """By the schedule; None where there is none, or none counts."""
        return next_sync_at(self.source, now())


class SourceBook:
    """Serves requests about sources; everything it changes, it changes by an event.

    Who may not read what a source brings may not change it either, unless their key is for every
    tenant.

    Raises Retryable, from what changes something: Kafka did not confirm in time.
    """

    def __init__(
        self, view: SourceView, states: SourceStates, opener: SourceOpener, publisher: Publisher
    ) -> None:
        self._view = view
        self._states = states
        self._opener = opener
        self._publisher = publisher

    @property
    def kinds(self) -> dict[str, SourceKind]:
        """What sources may be."""
        return dict(self._opener.kinds)

    async def put(self, source: SourceChanged) -> SourceStanding:
        """Add or change a source, and sync it.

        Raises:
            InvalidInput: a setting cannot work; it names it.
            NotFound: one of that name is there, and its groups are not the caller's.
            FailedPrecondition: one of that name is being removed.
        """
        _check_size("acl", sum(map(len, source.acl)))
        _check_size("settings", sum(map(len, (*source.settings, *source.settings.values()))))
        if source.schedule:
            next_time(source.schedule, now())
        await asyncio.to_thread(self._opener.open, source)
        before = self._view.get(SourceKey.of(source))
        if before is not None and not _may_change(before):
            raise _not_there(source.name)
        if before is not None and before.removed:
            raise FailedPrecondition(f"{source.name} is being removed: add it again in a moment")
        paused = before.paused if before else False
        return await self._change(source.model_copy(update={"paused": paused}), syncs=not paused)

    async def list(self, tenant: str, names: Sequence[str] = ()) -> Sequence[SourceStanding]:
        """By name. Raises NotFound: one that is named is not there."""
        if names:
            sources = [self._existing(tenant, name) for name in dict.fromkeys(names)]
        else:
            sources = list(self._view.of(tenant))
        return [await self._standing(source) for source in sources]

    async def sync(self, tenant: str, name: str) -> datetime:
        """Ask for a sync; it is done once one has ended that began then or later.

        Raises:
            NotFound: it is not there.
            FailedPrecondition: it is paused or being removed.
        """
        source = self._existing(tenant, name)
        if source.removed:
            raise FailedPrecondition(f"{name} is being removed: add it again in a moment")
        if source.paused:
            raise FailedPrecondition(f"{name} is paused: `gyre sources resume {name}` syncs it")
        return await self._request(source, SyncReason.TRIGGERED)

    async def pause(self, tenant: str, name: str, *, paused: bool, actor: str) -> None:
        """Stop its syncs, or let it sync again. Raises NotFound."""
        source = self._own(tenant, name)
        if source.paused != paused and not source.removed:
            changed = source.model_copy(update={"paused": paused, "actor": actor})
            await self._change(changed, syncs=True)

    async def remove(self, tenant: str, name: str, *, keeps_documents: bool, actor: str) -> None:
        """Remove it, and unless it `keeps_documents` what it brought. Raises NotFound."""
        source = self._own(tenant, name)
        update = {"removed": True, "keeps_documents": keeps_documents, "actor": actor}
        await self._change(source.model_copy(update=update), syncs=True)

    def _existing(self, tenant: str, name: str) -> SourceChanged:
        source = self._view.get(SourceKey(tenant, name))
        if source is None:
            raise _not_there(name)
        return source

    def _own(self, tenant: str, name: str) -> SourceChanged:
        """One that the caller may change."""
        source = self._existing(tenant, name)
        if not _may_change(source):
            raise _not_there(name)
        return source

    async def _change(self, source: SourceChanged, *, syncs: bool) -> SourceStanding:
        before = self._view.get(SourceKey.of(source))
        generation = before.generation + 1 if before else 1
        source = source.model_copy(update={"generation": generation, "changed_at": now()})
        await self._publisher.publish(SOURCE_CHANGED, source)
        self._view.apply(source)
        if syncs:
            await self._request(source, SyncReason.CHANGED)
        return await self._standing(source)

    async def _standing(self, source: SourceChanged) -> SourceStanding:
        return SourceStanding(source, await self._states.progress(SourceKey.of(source)))

    async def _request(self, source: SourceChanged, reason: SyncReason) -> datetime:
        at = now()
        await self._publisher.publish(SYNC_REQUESTED, sync_request(source, reason, at))
        return at


def _may_change(source: SourceChanged) -> bool:
    caller = request_context()
    return caller.is_for_every_tenant or caller.may_read(source.acl)


def _not_there(name: str) -> NotFound:
    return NotFound(f"there is no source {name!r}: `gyre sources list` shows those there are")


def _check_size(field: str, characters: int) -> None:
    """The groups stand in every record of every document."""
    if characters > METADATA_CHARACTERS:
        fix = f"keep to {METADATA_CHARACTERS:,}"
        raise InvalidInput(field, f"has {characters:,} characters", fix)


def new_source(tenant: str, fields: dict[str, object]) -> SourceChanged:
    """A source as a caller describes it. Raises InvalidInput, which names the field."""
    try:
        return SourceChanged.model_validate(
            {**fields, "tenant": tenant, "generation": 1, "changed_at": now()}
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if name == "name":
            fix = "use 1 to 63 lower-case letters, digits and dashes, and no dash first"
            raise InvalidInput("name", "cannot be one of a source", fix) from error
        problem = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(name, "is not valid", problem[:1].lower() + problem[1:]) from error
