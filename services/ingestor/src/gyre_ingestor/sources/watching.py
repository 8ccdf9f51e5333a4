"""Asks for a sync as soon as something changes in a folder that is a source."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from gyre_common.errors import Retryable
from gyre_common.events.event import now
from gyre_common.events.publisher import Publisher
from gyre_common.events.sources import SYNC_REQUESTED, SourceChanged, SyncReason

from gyre_ingestor.sources.opening import SourceOpener
from gyre_ingestor.sources.view import SourceView, sync_request

log = logging.getLogger(__name__)

_STEP_MS, _DEBOUNCE_MS = 500, 2_000
"""A change is told within a second; what goes on changing is told again every two."""
_LONG = 3_600.0
_PAUSE_AFTER_FAILURE = 30.0


class FolderWatch:
    """Watches the folders of all sources that are to be watched.

    What changed while nobody watched is told by a sync of each when watching begins.
    """

    def __init__(self, view: SourceView, opener: SourceOpener, publisher: Publisher) -> None:
        self._view = view
        self._opener = opener
        self._publisher = publisher

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        before: dict[Path, list[SourceChanged]] = {}
        while True:
            version, watched = self._view.version, self._watched()
            failures: list[Exception] = []
            try:
                fresh = {path: each for path, each in watched.items() if path not in before}
                await self._request(fresh.values())
                await self._watch_until_others(watched, version)
            except* (Retryable, OSError, RuntimeError) as group:
                # RuntimeError is what the watcher raises when the system lets it watch no more.
                failures.extend(group.exceptions)
            before = {} if failures else watched
            if failures:
                log.warning("folders are not watched for now", extra={"cause": str(failures[0])})
                await self._view.changed_since(version, within=_PAUSE_AFTER_FAILURE)

    def _watched(self) -> dict[Path, list[SourceChanged]]:
        """Sources by their folder, of those whose folder is there."""
        folders: dict[Path, list[SourceChanged]] = {}
        for source in self._view.sources:
            if source.paused or source.removed:
                continue
            folder = self._opener.watched_folder(source)
            if folder and Path(folder).is_dir():
                folders.setdefault(Path(folder), []).append(source)
        return folders

    async def _watch_until_others(
        self, watched: dict[Path, list[SourceChanged]], version: int
    ) -> None:
        """Until the sources change; a folder that was not there may be by then."""
        if not watched:
            pause = _PAUSE_AFTER_FAILURE if self._view.sources else _LONG
            await self._view.changed_since(version, within=pause)
            return
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(watched, stop))
            await self._view.changed_since(version, within=_LONG)
            stop.set()
            watching.cancel()

    async def _watch(self, watched: dict[Path, list[SourceChanged]], stop: asyncio.Event) -> None:
        from watchfiles import awatch  # its library is loaded where folders are watched only

        batches = awatch(
            *watched, watch_filter=None, debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=stop
        )
        async for changes in batches:
            paths = [Path(path) for _, path in changes]
            await self._request(
                sources
                for folder, sources in watched.items()
                if any(path.is_relative_to(folder) for path in paths)
            )

    async def _request(self, groups: Iterable[list[SourceChanged]]) -> None:
        for source in (source for group in groups for source in group):
            request = sync_request(source, SyncReason.WATCHED, now())
            await self._publisher.publish(SYNC_REQUESTED, request)
