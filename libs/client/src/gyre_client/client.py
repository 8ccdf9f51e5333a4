"""The two clients: the same parts, awaited or blocking."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, Self

from gyre_client.caller import Addresses, Caller
from gyre_client.connection import Connection
from gyre_client.health import Health
from gyre_client.parts import Loop, LoopT

if TYPE_CHECKING:
    import grpc

    from gyre_client.answers import Answers
    from gyre_client.dead_letters import DeadLetters
    from gyre_client.documents import Documents
    from gyre_client.embeddings import Embeddings
    from gyre_client.feedback import Feedback
    from gyre_client.history import History
    from gyre_client.releases import Releases
    from gyre_client.runs import DataSets, Facts, Runs
    from gyre_client.search import Search
    from gyre_client.sources import Sources

_MODULES = {"data_sets": "runs", "facts": "runs"}
"""Where a part is that has no module of its own name."""


class _Parts(Generic[LoopT]):
    answers: "Answers[LoopT]"
    data_sets: "DataSets[LoopT]"
    dead_letters: "DeadLetters[LoopT]"
    documents: "Documents[LoopT]"
    embeddings: "Embeddings[LoopT]"
    facts: "Facts[LoopT]"
    feedback: "Feedback[LoopT]"
    history: "History[LoopT]"
    releases: "Releases[LoopT]"
    runs: "Runs[LoopT]"
    search: "Search[LoopT]"
    sources: "Sources[LoopT]"

    def __init__(self, connection: Connection, loop: LoopT) -> None:
        self._connection = connection
        self._loop = loop

    if not TYPE_CHECKING:  # else type checkers would take any name for a part

        def __getattr__(self, name: str) -> Any:
            """A part is imported when it is first used: whoever asks pays for asking only."""
            if name not in PARTS:
                raise AttributeError(f"a client has no part {name!r}: {', '.join(PARTS)}")
            module = import_module(f"gyre_client.{_MODULES.get(name, name)}")
            kind = getattr(module, name.title().replace("_", ""))
            setattr(self, name, kind(self._connection, self._loop))
            return getattr(self, name)

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self._connection.caller

    @property
    def addresses(self) -> Addresses:
        """Where the services are."""
        return self._connection.addresses

    def with_caller(self, **changes: Any) -> Self:
        """The same connections for another caller: `client.with_caller(tenant="acme")`."""
        other = object.__new__(type(self))
        other._connection = self._connection.with_caller(**changes)
        other._loop = self._loop
        return other


PARTS = tuple(_Parts.__annotations__)


class AsyncClient(_Parts[None]):
    """A system, and who calls it. Every call raises GyreError, or one of its kinds.

    Opened by `async with`; connections are made when they are first used.
    """

    def __init__(
        self,
        addresses: Addresses | None = None,
        caller: Caller | None = None,
        *,
        credentials: "grpc.ChannelCredentials | None" = None,
    ) -> None:
        super().__init__(
            Connection(addresses or Addresses(), caller or Caller(), credentials), None
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._connection.close()

    async def serving(self, *, timeout: float = 2.0) -> Mapping[str, bool]:  # noqa: ASYNC109
        """Whether each service says that it serves, by name."""
        return await self._connection.serving(timeout)

    async def health(self, *, timeout: float = 1.0) -> Mapping[str, Health]:  # noqa: ASYNC109
        """What each service says of itself on its metrics port, by name."""
        return await self._connection.health(timeout)


class Client(_Parts[Loop]):
    """As `AsyncClient` for programs without asyncio: opened by `with`, and calls block."""

    def __init__(
        self,
        addresses: Addresses | None = None,
        caller: Caller | None = None,
        *,
        credentials: "grpc.ChannelCredentials | None" = None,
    ) -> None:
        super().__init__(
            Connection(addresses or Addresses(), caller or Caller(), credentials), Loop()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.run(self._connection.close())
        self._loop.close()

    def serving(self, *, timeout: float = 2.0) -> Mapping[str, bool]:
        """Whether each service says that it serves, by name."""
        return self._loop.run(self._connection.serving(timeout))

    def health(self, *, timeout: float = 1.0) -> Mapping[str, Health]:
        """What each service says of itself on its metrics port, by name."""
        return self._loop.run(self._connection.health(timeout))
