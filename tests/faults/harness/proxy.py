"""A link between a service and an engine that can be cut and slowed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_PIECE = 64 * 1024


class Link:
    """Carries TCP connections from one port of this machine to another, both ways.

    `carried` counts bytes. What is cut off breaks at once, and nobody gets through until `mend`.
    """

    def __init__(self, upstream: int) -> None:
        """`upstream` is the engine's port on 127.0.0.1."""
        self._upstream = upstream
        self._pause = 0.0
        self._whole = True
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.carried = 0

    @property
    def port(self) -> int:
        """Where it listens, once it is open."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many it carries now."""
        return len(self._open) // 2

    @asynccontextmanager
    async def opened(self, port: int = 0) -> AsyncIterator["Link"]:
        """Listens while the block is open; at a free port, unless one is given.

        Raises OSError: the port is taken.
        """
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", port)
        try:
            yield self
        finally:
            self._server.close()
            self.cut()
            await self._server.wait_closed()

    def cut(self) -> None:
        """Ends all connections without a word, and every new one."""
        self._whole = False
        for writer in self._open:
            writer.transport.abort()

    def slow(self, seconds: float) -> None:
        """From now on every piece waits so long, in either direction."""
        self._pause = seconds

    def mend(self) -> None:
        """Whole and fast again."""
        self._whole, self._pause = True, 0.0

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        try:
            from_engine, to_engine = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, to_engine)
        self._open.update(ends)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, to_engine))
                group.create_task(self._copy(from_engine, writer))
        finally:
            self._open.difference_update(ends)
            for end in ends:
                end.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                if self._pause:
                    await asyncio.sleep(self._pause)
                writer.write(data)
                await writer.drain()
                self.carried += len(data)
        with suppress(OSError, RuntimeError):
            if writer.can_write_eof():
                writer.write_eof()
