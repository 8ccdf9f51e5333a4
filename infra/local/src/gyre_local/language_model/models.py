"""The models that this process holds: bounded memory, a queue, an answer of each at a time."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from gyre_common.errors import FailedPrecondition
from gyre_common.language_model_files import (
    AdapterFiles,
    LanguageModelFiles,
    read_adapter,
    read_language_model,
)

from gyre_local.language_model.engine import Engine, LanguageModel, Sampling, Write, Written
from gyre_local.language_model.errors import ApiError, unknown_model

log = logging.getLogger(__name__)

T = TypeVar("T")
Read = Callable[[], tuple[LanguageModelFiles, AdapterFiles | None]]
"""Reads headers. Raises FailedPrecondition."""

_MEGABYTE = 1_000_000
_RETRY_AFTER = 5


@dataclass(frozen=True)
class HeldModel:
    """A loaded model by its name; `adapter` is what it has on top of its base."""

    name: str
    path: Path
    files: LanguageModelFiles
    adapter: AdapterFiles | None
    model: LanguageModel
    needed_bytes: int
    thread: ThreadPoolExecutor
    loaded_at: float = field(default_factory=monotonic)


class LanguageModels:
    """Loads, answers and unloads. A model has one thread, so that its answers share no memory, and
    who tries another one does not stand behind them; at most `most_waiting` wait, of all models.

    Who waits is given an empty text every `quiet_seconds`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        most_bytes: int,
        most_waiting: int = 8,
        quiet_seconds: float = 5.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._engine = engine
        self._most_bytes = most_bytes
        self._most_waiting = most_waiting
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        self._models: dict[str, HeldModel] = {}
        self._leaving_bytes = 0
        self._loads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")
        self._loading = asyncio.Lock()
        self._loads_under_way: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._busy = 0
        self._idle_since = clock()

    @property
    def idle_seconds(self) -> float:
        """For how long there has been no model, and nothing under way."""
        return 0.0 if self._models or self._busy else self._clock() - self._idle_since

    @property
    def models(self) -> list[HeldModel]:
        """Those that are loaded, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def model(self, name: str) -> HeldModel:
        """Raises ApiError, 404."""
        held = self._models.get(name)
        if held is None:
            raise unknown_model(name, sorted(self._models))
        return held

    async def load(self, name: str, folder: Path) -> None:
        """Load base weights; the same again changes nothing. Raises ApiError, 400, 503 or 507."""
        await self._loaded(name, folder, lambda: (read_language_model(folder), None))

    async def load_adapter(self, name: str, folder: Path, base: Path | None) -> None:
        """Load an adapter on weights that are loaded, or lie in `base`. Raises as `load` does."""

        def files() -> tuple[LanguageModelFiles, AdapterFiles]:
            adapter = read_adapter(folder)
            return self._base_of(adapter) if base is None else read_language_model(base), adapter

        await self._loaded(name, folder, files)

    async def unload(self, name: str) -> None:
        """Take it away once what is being written is written. Raises ApiError, 404."""
        held = self.model(name)
        del self._models[name]
        self._leaving_bytes += held.needed_bytes
        with self._working():
            closing = self._in(held.thread, held.model.close)
            closing.add_done_callback(lambda _: self._let_go(held))
            await asyncio.shield(closing)  # who asked may leave meanwhile
        log.info("model unloaded", extra={"model": name})

    async def write(
        self, held: HeldModel, prompt: list[int], sampling: Sampling
    ) -> AsyncGenerator[str | Written, None]:
        """Text as it comes, empty where there is none yet, then what became of it. Closing the
        generator ends the writing.

        Raises ApiError: 503, too many are waiting; 404, it was unloaded meanwhile.
        """
        if self.model(held.name) is not held:
            raise unknown_model(held.name, sorted(self._models))
        if self._under_way > self._most_waiting:
            raise ApiError(
                503,
                f"{self._under_way} answers are waiting already: try again in a moment",
                code="queue_full",
                retry_after=_RETRY_AFTER,
            )
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        loop, left = asyncio.get_running_loop(), threading.Event()

        def write(text: str) -> bool:
            loop.call_soon_threadsafe(pieces.put_nowait, text)
            return not left.is_set()

        self._under_way += 1
        with self._working():
            work = partial(_generate, held.model, prompt, sampling, write, left)
            writing = self._in(held.thread, work)
            writing.add_done_callback(lambda _: pieces.put_nowait(None))
            try:
                while (piece := await self._next(pieces)) is not None:
                    yield piece
                yield await writing
            finally:
                left.set()
                writing.cancel()
                self._under_way -= 1

    def close(self) -> None:
        """Wait for what is being written, and free all memory."""
        self._loads.shutdown(wait=True, cancel_futures=True)
        for held in self._models.values():
            held.thread.shutdown(wait=True, cancel_futures=True)
            held.model.close()
        self._models.clear()

    async def _next(self, pieces: asyncio.Queue[str | None]) -> str | None:
        try:
            async with asyncio.timeout(self._quiet_seconds):
                return await pieces.get()
        except TimeoutError:
            return ""

    def _let_go(self, held: HeldModel) -> None:
        held.thread.shutdown(wait=False)
        self._leaving_bytes -= held.needed_bytes

    def _base_of(self, adapter: AdapterFiles) -> LanguageModelFiles:
        held = self._models.get(adapter.base)
        if held is None or held.adapter is not None:
            bases = [each.name for each in self.models if each.adapter is None]
            raise ApiError(
                400,
                f"the adapter was trained on {adapter.base or 'a model that it does not name'}, "
                f"and loaded are {', '.join(bases) or 'none'}: load its base first, by "
                "/v1/load_model",
                code="unknown_base",
                param="lora_path",
            )
        return held.files

    async def _loaded(self, name: str, folder: Path, read: Read) -> None:
        """Who asked may leave meanwhile: it goes on for who asks next."""
        loading = asyncio.create_task(self._load(name, folder, read))
        self._loads_under_way.add(loading)
        loading.add_done_callback(self._loads_under_way.discard)
        loading.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(loading)

    async def _load(self, name: str, folder: Path, read: Read) -> None:
        with self._working():
            async with self._loading:
                if name in self._models:
                    if self._models[name].path == folder:
                        return
                    raise ApiError(
                        400,
                        f"{name} is loaded already from another folder: unload it first",
                        code="already_loaded",
                        param="name",
                    )
                try:
                    files, adapter = await asyncio.to_thread(read)
                except FailedPrecondition as error:
                    raise ApiError(400, str(error), code="model_refused", param="path") from error
                needed = self._engine.needed_bytes(files, adapter)
                self._check_room(name, needed)
                model = await self._in(self._loads, partial(self._engine.open, files, adapter))
                thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
                self._models[name] = HeldModel(name, folder, files, adapter, model, needed, thread)
        log.info("model loaded", extra={"model": name, "megabytes": needed // _MEGABYTE})

    def _check_room(self, name: str, needed: int) -> None:
        used = self._leaving_bytes + sum(held.needed_bytes for held in self._models.values())
        if used + needed > self._most_bytes:
            raise ApiError(
                507,
                f"{name} takes about {needed // _MEGABYTE} MB, and of "
                f"{self._most_bytes // _MEGABYTE} MB {used // _MEGABYTE} MB are taken: unload "
                "another model, or raise GYRE_LLM_MEMORY_MB",
                code="out_of_memory",
            )

    def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(threads, work)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Not idle while the block runs."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._idle_since = self._clock()


def _generate(
    model: LanguageModel, prompt: list[int], sampling: Sampling, write: Write, left: threading.Event
) -> Written:
    """In the model's thread; nothing is begun for who has left."""
    if left.is_set():
        return Written(0, ended=False)
    return model.generate(prompt, sampling, write)
