"""The models that a process holds: one comes or goes beside the others, between two requests."""

import asyncio
import ctypes
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, Protocol, Self, TypeVar

from gyre_common.errors import LOADING, FailedPrecondition, Retryable
from gyre_common.events.releases import Artifact
from gyre_common.telemetry import METRICS

log = logging.getLogger(__name__)

_LONGEST_LOAD = 120.0
_AGAIN_SOON, _AGAIN_LATER = 1.0, 30.0
"""Seconds until a load that failed is tried again: what may pass by itself, and what needs help."""
_MEGABYTE = 1_000_000


class NoRoom(Retryable):
    """Who has the memory, and counts it, has none left for this model."""


class Closeable(Protocol):
    """What every model can do."""

    def close(self) -> None:
        """Free its memory: no request has it any more. May block."""


Model = TypeVar("Model", bound=Closeable)


@dataclass(frozen=True)
class Loadable(Generic[Model]):
    """A model whose files are at hand, the bytes that it will take, and how it is loaded."""

    size_bytes: int
    load: Callable[[], Awaitable[Model]]


class ModelSource(Protocol[Model]):
    """Where models come from. What it and its models raise refuses a version, and nothing else;
    Retryable may pass by itself.
    """

    async def open(self, artifact: Artifact) -> Loadable[Model]:
        """Bring the files of a version here."""

    async def keep_only(self, digests: Collection[str]) -> None:
        """Remove what was brought for other versions. Raises Retryable: that failed."""


TryOut = Callable[[Artifact, Model], Awaitable[None]]
"""Lets a model do its work once, before a request gets it; raises when it does not do it."""


@dataclass
class _Place(Generic[Model]):
    digest: str
    model: Model
    size_bytes: int
    last_used: float
    users: int = 0


@dataclass(frozen=True)
class _Refusal:
    reason: str
    until: float


class Held(Generic[Model]):
    """Models by the digest of their artifact; versions of one digest share one model.

    - Load: beside those that serve, one at a time, once however many ask.
    - Try: `try_out` has passed before a request gets it.
    - Swap: `hold` says what is to be held from now on; a request under way ends with what it has.
    - Refuse: what does not load, fails its try or finds no room is refused with the reason, for a
      while; what serves goes on.
    - Unload: what is no longer to be held is closed when the last request has left it.
    - Memory: all models, those that requests still have included, take `most_bytes` at most. What
      `hold` does not name makes room, the least recently used first; what it names never does. A
      model whose load raises NoRoom is loaded once more after all of it has gone.

    Besides what `hold` names, the last `spares` that somebody asked for are held.
    """

    def __init__(
        self,
        source: ModelSource[Model],
        try_out: TryOut[Model],
        *,
        most_bytes: int,
        spares: int = 1,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._source = source
        self._try_out = try_out
        self._most_bytes = most_bytes
        self._most_spares = spares
        self._clock = clock
        self._places: dict[str, _Place[Model]] = {}
        self._leaving: list[_Place[Model]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._pinned: frozenset[str] = frozenset()
        self._spares: list[str] = []
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._waiting: Counter[str] = Counter()
        self._refusals: dict[str, _Refusal] = {}
        self._one_at_a_time = asyncio.Lock()
        self._tasks = asyncio.TaskGroup()
        self._closed = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._closed = True
        for task in self._loading.values():
            task.cancel()
        await self._tasks.__aexit__(*error)
        for place in (*self._places.values(), *self._leaving):
            await asyncio.to_thread(place.model.close)
        self._places.clear()

    async def hold(self, artifacts: Sequence[Artifact]) -> None:
        """Load what is not here yet, in this order, and unload all else.

        What cannot be loaded is named in the log, and refused when a request wants it.
        """
        self._pinned = frozenset(each.digest for each in artifacts)
        self._spares = [each for each in self._spares if each not in self._pinned]
        for artifact in artifacts:
            if artifact.digest not in self._places:
                await self._bring(artifact)
        await self._tidy()

    @asynccontextmanager
    async def use(self, artifact: Artifact, *, within: float | None = None) -> AsyncIterator[Model]:
        """A model for as long as the block runs; loaded first, if it is not here.

        Waits at most `within` seconds for that; the load goes on for who asks next.

        Raises:
            FailedPrecondition: it cannot be loaded, or is still being loaded (code `LOADING`).
        """
        place = await self._place(artifact, within)
        place.users += 1
        try:
            yield place.model
        finally:
            place.users -= 1
            place.last_used = self._clock()
            if place in self._leaving and not place.users and not self._closed:
                closing = self._tasks.create_task(self._unload(place))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)

    def peek(self, digest: str) -> Model | None:
        """The model, if it is held now; nothing keeps it here."""
        place = self._places.get(digest)
        return place.model if place else None

    async def _place(self, artifact: Artifact, within: float | None) -> _Place[Model]:
        self._waiting[artifact.digest] += 1  # stays, once it is loaded, until this task has it
        try:
            async with asyncio.timeout(within):
                while (place := self._places.get(artifact.digest)) is None:
                    refusal = self._refusals.get(artifact.digest)
                    if refusal is None or refusal.until <= self._clock():
                        await self._bring(artifact)
                        refusal = self._refusals.get(artifact.digest)
                    if refusal is not None:
                        raise FailedPrecondition(
                            f"{artifact.version} cannot be served here: {refusal.reason}"
                        )
                return place
        except TimeoutError as error:
            raise FailedPrecondition(
                f"{artifact.version} is being loaded here: ask again in a moment", code=LOADING
            ) from error
        finally:
            self._waiting[artifact.digest] -= 1

    async def _bring(self, artifact: Artifact) -> None:
        """Load once, however many ask; the result is in `_places` or in `_refusals`."""
        task = self._loading.get(artifact.digest)
        if task is None:
            task = self._tasks.create_task(self._load(artifact))
            self._loading[artifact.digest] = task
        await asyncio.shield(task)

    async def _load(self, artifact: Artifact) -> None:
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(_LONGEST_LOAD):
                    place = await self._load_and_try(artifact)
            except TimeoutError:
                reason = f"not loaded within {_LONGEST_LOAD:.0f} s: try again when less runs here"
                self._refuse(artifact, Retryable(reason))
            except Exception as error:  # noqa: BLE001
                # Runtimes and readers of files raise bare exceptions at what they cannot use, and a
                # version that cannot be used must not take down what serves.
                self._refuse(artifact, error)
            else:
                self._refusals.pop(artifact.digest, None)
                self._places[artifact.digest] = place
                METRICS.model_loads.labels("loaded").inc()
                METRICS.models_held.inc()
                log.info("model loaded", extra={"version": artifact.version})
                if artifact.digest not in self._pinned:
                    self._spares.append(artifact.digest)
            finally:
                del self._loading[artifact.digest]
        if self._spares[-1:] == [artifact.digest]:
            await self._tidy()

    async def _load_and_try(self, artifact: Artifact) -> _Place[Model]:
        loadable = await self._source.open(artifact)
        await self._make_room(artifact, loadable.size_bytes)
        try:
            model = await loadable.load()
        except NoRoom:
            if not (idle := self._idle()):
                raise
            await self._let_all_go(idle)
            model = await loadable.load()
        try:
            await self._try_out(artifact, model)
        except BaseException:
            await asyncio.to_thread(model.close)
            raise
        return _Place(artifact.digest, model, loadable.size_bytes, self._clock())

    async def _make_room(self, artifact: Artifact, size_bytes: int) -> None:
        for place in self._idle():
            if self._bytes_in_use() + size_bytes > self._most_bytes:
                await self._let_go(place)
        if self._closing:
            await asyncio.wait(self._closing)
        if self._bytes_in_use() + size_bytes > self._most_bytes:
            raise Retryable(
                f"there is no room for it: {artifact.version} takes {size_bytes // _MEGABYTE} MB, "
                f"and of {self._most_bytes // _MEGABYTE} MB "
                f"{self._bytes_in_use() // _MEGABYTE} MB are taken"
            )

    def _idle(self) -> list[_Place[Model]]:
        """What nobody needs by name or waits for, the least recently used first."""
        needed = {*self._pinned, *(+self._waiting)}
        idle = [each for each in self._places.values() if each.digest not in needed]
        return sorted(idle, key=lambda each: each.last_used)

    async def _let_all_go(self, places: Sequence[_Place[Model]]) -> None:
        """Return once those that no request has are closed."""
        for place in places:
            await self._let_go(place)
        while self._leaving and self._closing:
            await asyncio.wait(self._closing)

    def _bytes_in_use(self) -> int:
        return sum(each.size_bytes for each in (*self._places.values(), *self._leaving))

    def _refuse(self, artifact: Artifact, error: Exception) -> None:
        METRICS.model_loads.labels("refused").inc()
        before, reason = self._refusals.get(artifact.digest), str(error)
        pause = _AGAIN_SOON if isinstance(error, Retryable) else _AGAIN_LATER
        self._refusals[artifact.digest] = _Refusal(reason, self._clock() + pause)
        if before is None or before.reason != reason:
            log.error("model not loaded", extra={"version": artifact.version, "why": reason})

    async def _tidy(self) -> None:
        """Unload what is neither named nor one of the last spares."""
        async with self._one_at_a_time:
            self._spares = [each for each in self._spares if each in self._places]
            del self._spares[: max(0, len(self._spares) - self._most_spares)]
            needed = {*self._pinned, *self._spares, *(+self._waiting)}
            for place in [each for each in self._places.values() if each.digest not in needed]:
                await self._let_go(place)
            try:
                await self._source.keep_only(needed)
            except Retryable as error:
                log.warning("old models not removed", extra={"why": str(error)})

    async def _let_go(self, place: _Place[Model]) -> None:
        del self._places[place.digest]
        METRICS.models_held.dec()
        log.info("model let go", extra={"digest": place.digest})
        self._leaving.append(place)
        if not place.users:
            await self._unload(place)

    async def _unload(self, place: _Place[Model]) -> None:
        await asyncio.to_thread(place.model.close)
        self._leaving.remove(place)


def trim_memory() -> None:
    """What models leave behind when they go: else the C library keeps a good half of it, for ever
    (https://man7.org/linux/man-pages/man3/malloc_trim.3.html; other libraries have no such call).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
