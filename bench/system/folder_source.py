"""A folder that Gyre mirrors, changed and synced while somebody watches what becomes searchable."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gyre.ingestor.v1 import sources_pb2
from gyre_client import Addresses, AsyncClient, Caller

from bench.system.producer import KafkaSubmitter, submitter

_LONGEST = 4 * 3600.0


@dataclass(frozen=True)
class Synced:
    """One sync: what it says it did, and the seconds until all of that was searchable."""

    sync: sources_pb2.Sync
    seconds: float
    expected: int

    @property
    def counts(self) -> str:
        """For people."""
        sync = self.sync
        return (
            f"{sync.added:,} added, {sync.changed:,} changed, {sync.deleted:,} deleted, "
            f"{sync.unchanged:,} unchanged"
        )


class FolderSource:
    """One folder as a source of one tenant."""

    def __init__(self, folder: Path, client: AsyncClient, watcher: KafkaSubmitter) -> None:
        self._folder = folder
        self._client = client
        self._watcher = watcher
        self._files: Mapping[str, bytes] = {}

    async def mirror(self, files: Mapping[str, bytes]) -> Synced:
        """Write them all anew, take away what is not among them, and sync.

        Raises SystemExit: what the sync counts is not what differs.
        """
        before, self._files = self._files, dict(files)
        await asyncio.to_thread(self._write, before.keys() - files.keys())
        different = {name for name in before.keys() | files if before.get(name) != files.get(name)}
        self._watcher.finished.clear()
        began, since = time.monotonic(), datetime.now(UTC)
        if before:
            since = await self._client.sources.sync("docs")
        else:
            settings = {"path": str(self._folder), "include": "*.md", "watch": "false"}
            await self._client.sources.put("docs", "folder", settings)
        sync = sources_pb2.Sync()
        async for status in self._client.sources.follow("docs", since):
            sync = status.last_sync
        ids = [f"docs/{name}" for name in different]
        await self._watcher.wait_for(ids, timeout=_LONGEST)
        seconds = time.monotonic() - began
        done = sync.added + sync.changed + sync.deleted
        if done != len(different):
            raise SystemExit(
                f"error: {len(different)} files differ, the sync counts {done}: {sync}"
            )
        return Synced(sync, seconds, len(different))

    def _write(self, gone: set[str]) -> None:
        for name in gone:
            (self._folder / name).unlink()
        for name, content in self._files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@asynccontextmanager
async def folder_source(folder: Path, offset: int, tenant: str) -> AsyncIterator[FolderSource]:
    """An empty folder, and a watcher who stands at the end of the outcomes."""
    folder.mkdir(parents=True, exist_ok=True)
    addresses, caller = Addresses.on("127.0.0.1", port_offset=offset), Caller(tenant=tenant)
    async with (
        submitter(f"127.0.0.1:{9092 + offset}", tenant, fetch_wait_ms=500) as watcher,
        AsyncClient(addresses, caller) as client,
    ):
        yield FolderSource(folder.resolve(), client, watcher)
