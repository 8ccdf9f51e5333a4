"""What stands behind every arm: one answer after one delay, over gRPC and over HTTP.

    python -m bench.gateway.mock GRPC_PORT HTTP_PORT

A question `hold` keeps its stream open until the caller goes.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import grpc
import uvicorn
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc

FIRST_SECONDS = 0.05
"""Until the first word, and until an answer that is not streamed."""

PIECE_SECONDS = 0.002
PIECES = ["Green tea is best brewed at 80 degrees Celsius for two minutes. "] * 10
TEXT = "".join(PIECES)
WHOLE_SECONDS = FIRST_SECONDS + PIECE_SECONDS * (len(PIECES) - 1)

HOLD = "hold"

Message = MutableMapping[str, Any]


async def pieces(question: str) -> AsyncIterator[str]:
    """The answer, as it comes."""
    await asyncio.sleep(FIRST_SECONDS)
    for number, piece in enumerate(PIECES):
        if number:
            await asyncio.sleep(PIECE_SECONDS)
        yield piece
        if question == HOLD:
            await asyncio.Event().wait()


class Generator(generator_pb2_grpc.GeneratorServiceServicer):
    """For Gyre's gateway and for the bare application."""

    async def Answer(self, request: Any, context: Any) -> generator_pb2.AnswerResponse:
        await asyncio.sleep(FIRST_SECONDS)
        return _answer()

    async def StreamAnswer(
        self, request: Any, context: Any
    ) -> AsyncIterator[generator_pb2.StreamAnswerResponse]:
        started = generator_pb2.Started(interaction_id="i-1")
        yield generator_pb2.StreamAnswerResponse(started=started)
        async for piece in pieces(request.question):
            yield generator_pb2.StreamAnswerResponse(delta=generator_pb2.Delta(text=piece))
        yield generator_pb2.StreamAnswerResponse(finished=_answer())


def _answer() -> generator_pb2.AnswerResponse:
    return generator_pb2.AnswerResponse(
        interaction_id="i-1",
        answer=TEXT,
        outcome=generator_pb2.OUTCOME_ANSWERED,
        prompt_tokens=100,
        completion_tokens=100,
    )


async def http(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """For LiteLLM, which calls chat completions of OpenAI's shape; the mock alone, too."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if not body:  # whether it serves
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})
        return
    request = json.loads(body)
    streams = bool(request.get("stream"))
    kind = b"text/event-stream" if streams else b"application/json"
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}

    async def write(data: bytes, *, more: bool) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": more})

    if not streams:
        await asyncio.sleep(FIRST_SECONDS)
        await send(start)
        message = {"role": "assistant", "content": TEXT}
        await write(_completion("chat.completion", message=message), more=False)
        return
    await send(start)
    async for piece in pieces(request["messages"][-1]["content"]):
        delta = {"role": "assistant", "content": piece}
        await write(_event(_completion("chat.completion.chunk", delta=delta)), more=True)
    last = _completion("chat.completion.chunk", finish_reason="stop", delta={})
    await write(_event(last) + b"data: [DONE]\n\n", more=False)


def _completion(kind: str, *, finish_reason: str | None = None, **part: object) -> bytes:
    choice = {"index": 0, "finish_reason": finish_reason, **part}
    reply: dict[str, object] = {"id": "c-1", "object": kind, "created": 1, "model": "mock"}
    if kind == "chat.completion":
        choice["finish_reason"] = "stop"
        reply["usage"] = {"prompt_tokens": 100, "completion_tokens": 100, "total_tokens": 200}
    return json.dumps({**reply, "choices": [choice]}).encode()


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


async def main() -> None:
    """Serve both until ended."""
    grpc_port, http_port = sys.argv[1:]
    server = grpc.aio.server()
    generator_pb2_grpc.add_GeneratorServiceServicer_to_server(Generator(), server)
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    await server.start()
    config = uvicorn.Config(
        http, port=int(http_port), lifespan="off", access_log=False, backlog=2048
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main())
