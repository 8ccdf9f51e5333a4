"""The greatest memory of each process of a system, looked at again and again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from bench.system.footprint import families

_EVERY = 15.0  # a look takes a sixth of a second of a core


@asynccontextmanager
async def peaks(home: Path) -> AsyncIterator[dict[str, int]]:
    """Proportional set sizes in MiB by process, `total` the greatest sum, filled while the block
    runs.
    """
    greatest: dict[str, int] = {}
    watch = asyncio.create_task(_watch(home, greatest))
    try:
        yield greatest
    finally:
        watch.cancel()


async def _watch(home: Path, greatest: dict[str, int]) -> None:
    while True:
        now = await asyncio.to_thread(_sizes, home)
        for name, size in {**now, "total": sum(now.values())}.items():
            greatest[name] = max(size, greatest.get(name, 0))
        await asyncio.sleep(_EVERY)


def _sizes(home: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    try:
        for name, family in families(str(home)).items():
            sizes[name] = sum(each.memory_full_info().pss for each in family) // 2**20
    except psutil.Error:
        pass  # one ended while it was looked at; there is a next look
    return sizes
