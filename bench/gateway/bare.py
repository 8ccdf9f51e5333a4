"""The floor: a FastAPI application that hands a question on and the text back, and does no more.

python -m bench.gateway.bare GRPC_PORT HTTP_PORT
"""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc

app = FastAPI()


@app.post("/v1/chat/completions", response_model=None)
async def complete(request: Request) -> dict[str, Any] | StreamingResponse:
    """One call behind; nothing is checked, known or counted."""
    body = await request.json()
    question = generator_pb2.AnswerRequest(question=body["messages"][-1]["content"])
    if body.get("stream"):
        pieces = app.state.generator.StreamAnswer(question)
        return StreamingResponse(_events(pieces), media_type="text/event-stream")
    answer = await app.state.generator.Answer(question)
    return {"choices": [{"message": {"role": "assistant", "content": answer.answer}}]}


async def _events(pieces: AsyncIterator[generator_pb2.StreamAnswerResponse]) -> AsyncIterator[str]:
    async for piece in pieces:
        if piece.HasField("delta"):
            data = {"choices": [{"delta": {"content": piece.delta.text}}]}
            yield f"data: {json.dumps(data)}\n\n"
    yield "data: [DONE]\n\n"


@app.get("/healthz")
async def healthz() -> str:
    """It answers."""
    return "ok"


async def serve(grpc_port: str, http_port: int) -> None:
    """Serve until ended."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        app.state.generator = generator_pb2_grpc.GeneratorServiceStub(channel)
        config = uvicorn.Config(app, port=http_port, http="httptools", access_log=False)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import asyncio

    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
