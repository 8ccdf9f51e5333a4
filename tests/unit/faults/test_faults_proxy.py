"""A link carries what is sent, breaks when it is cut, and works again once it is mended."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.harness.proxy import Link

PAUSE = 0.05


@pytest.fixture
async def engine() -> AsyncIterator[int]:
    """The port of one that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def link(engine: int) -> AsyncIterator[Link]:
    async with Link(engine).opened() as link:
        yield link


async def echoed(link: Link, text: bytes) -> bytes:
    """What comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(text)
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


async def cut_off(reader: asyncio.StreamReader) -> bool:
    """Whether the connection ends, with an error or without."""
    try:
        return not await reader.read()
    except ConnectionError:
        return True


async def test_a_link_carries_both_ways_and_counts(link: Link) -> None:
    assert await echoed(link, b"tea") == b"tea"
    assert link.carried == 2 * len(b"tea")


async def test_a_cut_link_ends_what_it_carries_and_lets_nobody_through(link: Link) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"tea")
    assert await reader.read(3) == b"tea"
    link.cut()
    assert await cut_off(reader)
    refused, other = await asyncio.open_connection("127.0.0.1", link.port)
    assert await cut_off(refused)
    other.close()
    link.mend()
    assert await echoed(link, b"tea") == b"tea"
    writer.close()


async def test_a_slow_link_delays_and_loses_nothing(link: Link) -> None:
    link.slow(PAUSE)
    began = time.monotonic()
    assert await echoed(link, b"tea") == b"tea"
    assert time.monotonic() - began >= 2 * PAUSE
