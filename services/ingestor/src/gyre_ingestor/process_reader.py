"""Reads documents in processes of their own: one that hangs or eats memory harms nobody else."""

import asyncio
import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, Self, TypeVar

from gyre_common.errors import Retryable
from pebble import ProcessExpired, ProcessPool

from gyre_ingestor.chunking.tokens import encoder_tokenizer
from gyre_ingestor.document_reader import (
    ReadingTask,
    ReadResult,
    read,
    run_guarded,
    unreadable_document,
)
from gyre_ingestor.media_types import MediaType, media_type_of

_TRIES = 2
_STOP_SECONDS = 5.0
_SECONDS_PER_MIB = 3.0

P_ = ParamSpec("P_")
R_ = TypeVar("R_")


class ProcessReader:
    """A `Reader` over a pool of processes.

    A document gets `time_limit` seconds of one, and `_SECONDS_PER_MIB` more for its size: about
    four times what well-formed text takes. `processes` documents are read at once; one process more
    is kept for looking at what comes in, which callers wait for.
    """

    def __init__(self, *, processes: int, time_limit: float, memory_bytes: int) -> None:
        self._processes = processes
        self._read_slots = asyncio.Semaphore(processes)
        self._time_limit = time_limit
        self._memory_bytes = memory_bytes

    async def __aenter__(self) -> Self:
        self._pool = self._new_pool()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await _stop_pool(self._pool)

    async def media_type(
        self, head: bytes, declared: str | None, names: tuple[str | None, ...]
    ) -> MediaType:
        """See `Reader`."""
        return await self._run(self._time_limit, media_type_of, head, declared, names)

    async def read(self, task: ReadingTask) -> ReadResult:
        """See `Reader`."""
        limit = self._time_limit + _SECONDS_PER_MIB * len(task.content) / 1024**2
        async with self._read_slots:
            return await self._run(limit, read, task)

    async def healthy(self) -> bool:
        """Tell whether the processes take work; ones that broke are replaced."""
        return bool((await self._working_pool()).active)

    async def _run(
        self, limit: float, work: Callable[P_, R_], *args: P_.args, **kwargs: P_.kwargs
    ) -> R_:
        for attempt in range(1, _TRIES + 1):
            pool = await self._working_pool()
            future = pool.schedule(run_guarded, [work, *args], kwargs, timeout=limit)
            try:
                return await asyncio.wrap_future(future)
            except FutureTimeout as error:
                raise unreadable_document(f"took more than {limit:.0f} s to read") from error
            except BrokenProcessPool as error:
                raise Retryable("the processes that read documents ended") from error
            except (ProcessExpired, MemoryError) as error:
                # Once may be the machine's fault; the same document twice is the document's.
                if attempt == _TRIES:
                    raise unreadable_document("broke the parser or its memory limit") from error
        raise AssertionError("unreachable")

    async def _working_pool(self) -> ProcessPool:
        """The pool, or a new one: a pool breaks for good when a process that does nothing ends."""
        if not self._pool.active:
            broken_pool, self._pool = self._pool, self._new_pool()
            await _stop_pool(broken_pool)
        return self._pool

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._processes + 1,
            initializer=_prepare_process,
            initargs=(self._memory_bytes,),
            # Not forked: this process runs gRPC's threads, whose locks a fork would copy.
            context=multiprocessing.get_context("spawn"),
        )


async def _stop_pool(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    await asyncio.to_thread(pool.join, _STOP_SECONDS)


def _prepare_process(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    encoder_tokenizer()
