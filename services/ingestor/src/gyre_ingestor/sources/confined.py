"""Does what may take all memory or never end in a process of its own."""

import asyncio
import multiprocessing
import resource
from collections.abc import AsyncIterator, Callable
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

from gyre_common.errors import GyreError
from pebble import ProcessExpired, ProcessPool

from gyre_ingestor.sources.source import SourceUnreachable

_MEMORY_BYTES = 2 * 1024**3
_STOP_SECONDS = 5.0

Ts = TypeVarTuple("Ts")
R_ = TypeVar("R_")


class Confined:
    """One process, with a limit on memory and one on time a call."""

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool

    async def run(self, seconds: float, work: Callable[[*Ts], R_], *args: *Ts) -> R_:
        """What the work returns, or the GyreError that it raises.

        Raises SourceUnreachable: it took too long, or more memory than there is.
        """
        try:
            future = self._pool.schedule(_run_guarded, [work, *args], timeout=seconds)
            return await asyncio.wrap_future(future)
        except FutureTimeout as error:
            raise SourceUnreachable(
                f"it took more than {seconds:.0f} s: make it smaller"
            ) from error
        except (ProcessExpired, MemoryError, BrokenProcessPool, RuntimeError) as error:
            gibibytes = _MEMORY_BYTES // 1024**3
            raise SourceUnreachable(
                f"it needs more than {gibibytes} GiB of memory, or breaks its reader: make it "
                "smaller"
            ) from error


@asynccontextmanager
async def open_confined() -> AsyncIterator[Confined]:
    """The process starts with the first call, and ends with the block."""
    pool = ProcessPool(
        max_workers=1,
        initializer=_limit_memory,
        # Not forked: this process runs gRPC's threads, whose locks a fork would copy.
        context=multiprocessing.get_context("spawn"),
    )
    try:
        yield Confined(pool)
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        await asyncio.to_thread(pool.join, _STOP_SECONDS)


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def _run_guarded(work: Callable[[*Ts], R_], *args: *Ts) -> R_:
    """An error that cannot be unpickled would break the pool, so only known ones get out."""
    try:
        return work(*args)
    except (GyreError, MemoryError) as error:
        error.__cause__ = error.__context__ = None
        raise
    except Exception as error:  # noqa: BLE001 - the edge of the process
        why = f"{type(error).__name__}: {error}"
        raise SourceUnreachable(f"it cannot be read ({why})") from None
