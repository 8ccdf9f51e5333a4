"""The client for programs that use asyncio."""

from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gyre_client.caller import Addresses, Caller
from gyre_client.connection import Channels, Connection

if TYPE_CHECKING:
    import grpc

    from gyre_client.answers import Answers
    from gyre_client.dead_letters import DeadLetters
    from gyre_client.documents import Documents
    from gyre_client.feedback import Feedback
    from gyre_client.history import History
    from gyre_client.releases import Releases
    from gyre_client.runs import DataSets, Facts, Runs
    from gyre_client.search import Search


class AsyncClient:
    """A system, and who calls it. Every call raises GyreError, or one of its kinds.

    Opened by `async with`; connections are made when they are first used. Its parts are imported
    when they are first used too, so that whoever asks pays for asking only.
    """

    def __init__(
        self,
        addresses: Addresses | None = None,
        caller: Caller | None = None,
        *,
        credentials: "grpc.ChannelCredentials | None" = None,
    ) -> None:
        self._channels = Channels(addresses or Addresses(), credentials)
        self._connection = Connection(self._channels, caller or Caller())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._channels.close()

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self._connection.caller

    def with_caller(self, **changes: Any) -> "AsyncClient":
        """The same connections for another caller: `client.with_caller(tenant="acme")`."""
        other = object.__new__(AsyncClient)
        other._channels = self._channels
        other._connection = self._connection.with_caller(**changes)
        return other

    @cached_property
    def answers(self) -> "Answers":
        """Ask and stream."""
        from gyre_client.answers import Answers

        return Answers(self._connection)

    @cached_property
    def documents(self) -> "Documents":
        """Submit, look up, list and delete documents."""
        from gyre_client.documents import Documents

        return Documents(self._connection)

    @cached_property
    def feedback(self) -> "Feedback":
        """Everything that people say of answers."""
        from gyre_client.feedback import Feedback

        return Feedback(self._connection)

    @cached_property
    def history(self) -> "History":
        """What happened: interactions and the named views."""
        from gyre_client.history import History

        return History(self._connection)

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """The records that could not be handled."""
        from gyre_client.dead_letters import DeadLetters

        return DeadLetters(self._connection)

    @cached_property
    def releases(self) -> "Releases":
        """Which version of every role is live."""
        from gyre_client.releases import Releases

        return Releases(self._connection)

    @cached_property
    def runs(self) -> "Runs":
        """Training runs."""
        from gyre_client.runs import Runs

        return Runs(self._connection)

    @cached_property
    def data_sets(self) -> "DataSets":
        """What was trained on."""
        from gyre_client.runs import DataSets

        return DataSets(self._connection)

    @cached_property
    def facts(self) -> "Facts":
        """What training keeps, to be forgotten."""
        from gyre_client.runs import Facts

        return Facts(self._connection)

    @cached_property
    def search(self) -> "Search":
        """What is found, without an answer."""
        from gyre_client.search import Search

        return Search(self._connection)

    async def serving(self, *, timeout: float = 2.0) -> Mapping[str, bool]:  # noqa: ASYNC109
        """Whether each service says that it serves, by name."""
        return await self._connection.serving(timeout)
