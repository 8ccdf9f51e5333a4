"""The client for programs that do not use asyncio: the same parts, and calls that block."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from functools import cached_property, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from gyre_client.answers import Answers
from gyre_client.caller import Addresses, Caller
from gyre_client.client import AsyncClient
from gyre_client.dead_letters import DeadLetters
from gyre_client.documents import Documents
from gyre_client.feedback import Feedback
from gyre_client.history import History
from gyre_client.releases import Releases
from gyre_client.runs import DataSets, Facts, Runs
from gyre_client.search import Search

if TYPE_CHECKING:
    import grpc

P = ParamSpec("P")
T = TypeVar("T")
PartT = TypeVar("PartT")


class _Loop:
    """An event loop in a thread of its own, so that callers may have one too, as notebooks do."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What it returns or raises. An interrupt ends the work too."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """One after the other; stopping early ends the work."""
        try:
            while True:
                try:
                    yield self.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            self.run(_closed(items))

    def close(self) -> None:
        """Ends the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


async def _closed(items: AsyncIterator[Any]) -> None:
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()


class _Blocking(Generic[PartT]):
    """A part whose methods block."""

    def __init__(self, part: PartT, loop: _Loop) -> None:
        self._part = part
        self._loop = loop


def _call(
    method: Callable[Concatenate[PartT, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Blocking[PartT], P], T]:
    @wraps(method)
    def blocking(self: _Blocking[PartT], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._loop.run(method(self._part, *args, **kwargs))

    return blocking


def _stream(
    method: Callable[Concatenate[PartT, P], AsyncIterator[T]],
) -> Callable[Concatenate[_Blocking[PartT], P], Iterator[T]]:
    @wraps(method)
    def blocking(self: _Blocking[PartT], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self._loop.iterate(method(self._part, *args, **kwargs))

    return blocking


class BlockingAnswers(_Blocking[Answers]):
    """See `Answers`."""

    ask = _call(Answers.ask)
    stream = _stream(Answers.stream)


class BlockingDocuments(_Blocking[Documents]):
    """See `Documents`."""

    submit = _call(Documents.submit)
    submit_all = _call(Documents.submit_all)
    get = _call(Documents.get)
    list = _stream(Documents.list)
    delete = _call(Documents.delete)


class BlockingFeedback(_Blocking[Feedback]):
    """See `Feedback`."""

    vote = _call(Feedback.vote)
    record = _call(Feedback.record)


class BlockingHistory(_Blocking[History]):
    """See `History`."""

    explain = _call(History.explain)
    interaction_id = _call(History.interaction_id)
    interactions = _stream(History.interactions)
    series = _stream(History.series)


class BlockingDeadLetters(_Blocking[DeadLetters]):
    """See `DeadLetters`."""

    list = _call(DeadLetters.list)
    show = _call(DeadLetters.show)
    skip = _call(DeadLetters.skip)


class BlockingReleases(_Blocking[Releases]):
    """See `Releases`."""

    list = _call(Releases.list)
    version = _call(Releases.version)
    promote = _call(Releases.promote)
    rollback = _call(Releases.rollback)
    register = _call(Releases.register)


class BlockingRuns(_Blocking[Runs]):
    """See `Runs`."""

    start = _call(Runs.start)
    get = _call(Runs.get)
    list = _call(Runs.list)
    run_id = _call(Runs.run_id)
    cancel = _call(Runs.cancel)
    follow = _call(Runs.follow)


class BlockingDataSets(_Blocking[DataSets]):
    """See `DataSets`."""

    list = _call(DataSets.list)
    get = _call(DataSets.get)


class BlockingFacts(_Blocking[Facts]):
    """See `Facts`."""

    forget = _call(Facts.forget)


class BlockingSearch(_Blocking[Search]):
    """See `Search`."""

    retrieve = _call(Search.retrieve)


class Client:
    """As `AsyncClient`, opened by `with`."""

    def __init__(
        self,
        addresses: Addresses | None = None,
        caller: Caller | None = None,
        *,
        credentials: "grpc.ChannelCredentials | None" = None,
    ) -> None:
        self._loop = _Loop()
        self._client = AsyncClient(addresses, caller, credentials=credentials)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.run(self._client.__aexit__(kind, error, trace))
        self._loop.close()

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self._client.caller

    def with_caller(self, **changes: Any) -> "Client":
        """The same connections for another caller; closed with this client."""
        other = object.__new__(Client)
        other._loop = self._loop
        other._client = self._client.with_caller(**changes)
        return other

    @cached_property
    def answers(self) -> BlockingAnswers:
        """Ask and stream."""
        return BlockingAnswers(self._client.answers, self._loop)

    @cached_property
    def documents(self) -> BlockingDocuments:
        """Submit, look up, list and delete documents."""
        return BlockingDocuments(self._client.documents, self._loop)

    @cached_property
    def feedback(self) -> BlockingFeedback:
        """Everything that people say of answers."""
        return BlockingFeedback(self._client.feedback, self._loop)

    @cached_property
    def history(self) -> BlockingHistory:
        """What happened: interactions and the named views."""
        return BlockingHistory(self._client.history, self._loop)

    @cached_property
    def dead_letters(self) -> BlockingDeadLetters:
        """The records that could not be handled."""
        return BlockingDeadLetters(self._client.dead_letters, self._loop)

    @cached_property
    def releases(self) -> BlockingReleases:
        """Which version of every role is live."""
        return BlockingReleases(self._client.releases, self._loop)

    @cached_property
    def runs(self) -> BlockingRuns:
        """Training runs."""
        return BlockingRuns(self._client.runs, self._loop)

    @cached_property
    def data_sets(self) -> BlockingDataSets:
        """What was trained on."""
        return BlockingDataSets(self._client.data_sets, self._loop)

    @property
    def facts(self) -> BlockingFacts:
        """See `Facts`."""
        return BlockingFacts(self._client.facts, self._loop)

    @cached_property
    def search(self) -> BlockingSearch:
        """What is found, without an answer."""
        return BlockingSearch(self._client.search, self._loop)

    def serving(self, *, timeout: float = 2.0) -> Mapping[str, bool]:
        """Whether each service says that it serves, by name."""
        return self._loop.run(self._client.serving(timeout=timeout))
