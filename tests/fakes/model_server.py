"""A model server on a free port, which answers as a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Write = Callable[[bytes], Awaitable[None]]
Behaviour = Callable[[Write, int], Awaitable[None]]


Tokenize = Callable[[dict[str, Any]], dict[str, Any]]


class FakeServer:
    """A real HTTP server on a free port that answers every request as it is told. `tokenize`
    answers vLLM's call of that name, which most servers do not have; where there is none, `refusal`
    is what the reply of status 404 says.
    """

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.tokenize: Tokenize | None = None
        self.refusal = b""
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            head = await reader.readuntil(b"\r\n\r\n")
            [length] = [
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ]
            body = json.loads(await reader.readexactly(length))
            if head.split()[1] == b"/tokenize":
                counted = self.tokenize and json.dumps(self.tokenize(body)).encode()
                await write(status(200, counted) if counted else status(404, self.refusal))
                return
            self.requests.append(body)
            await self._behave(write, len(self.requests))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def model_server(behave: Behaviour) -> AsyncIterator[FakeServer]:
    fake = FakeServer(behave)
    server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
    async with server:
        fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield fake
        server.close()


def status(code: int, body: bytes = b"{}", *, kind: str = "application/json") -> bytes:
    return (
        f"HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def delta_event(text: str | None, *, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return event({"id": "1", "object": "chat.completion.chunk", "choices": [choice]})


USAGE = event({"id": "1", "choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 7}})


def once(*data: bytes) -> Behaviour:
    async def behave(write: Write, nth: int) -> None:
        for piece in data:
            await write(piece)

    return behave
