"""The local engine for language models beside the bare library: first token, speed, memory, start.

    python -m bench.generator.engine [--rounds 5] [--tokens 64]

Needs `make setup-llm`. Both are a process of their own with the shipped language model; each prompt
is of other random words, so that nothing of it was read before, and both in turns read the same.
What the endpoint adds is the time beside the library's; the floor is the library alone.
"""

import argparse
import importlib
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import httpx2 as httpx
from gyre_common.model_folders import SHIPPED_MODELS
from gyre_common.releases.builtin import LANGUAGE_MODEL_FILE, LANGUAGE_MODEL_VERSION

from bench.report import machine, median, table

FOLDER = SHIPPED_MODELS / LANGUAGE_MODEL_VERSION
CONTEXTS = (1_000, 3_000)
KEY = "bench"
_START_SECONDS = 120.0
_WORDS = ("river", "copper", "seven", "garden", "silent", "harbour", "letter", "winter", "engine")


@dataclass
class Timed:
    """Of one arm at one length of prompt."""

    first: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    prompt: list[int] = field(default_factory=list)


class Arm(Protocol):
    """Writes `tokens` to a prompt, and says when the first was there, in seconds, how many more
    came a second, and how long the prompt was, in tokens.
    """

    started: float
    pid: int

    def write(self, prompt: str, tokens: int) -> tuple[float, float, int]: ...


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--library", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (FOLDER / LANGUAGE_MODEL_FILE).is_file():
        raise SystemExit("error: the weights are not here: run `make setup-llm`")
    if options.library:
        serve_library()
    else:
        run(options.rounds, options.tokens)


def run(rounds: int, tokens: int) -> None:
    """Both arms, in turns."""
    rows = []
    with endpoint() as ours, library() as bare:
        arms = {"the bare library": bare, "the local engine": ours}
        for length in CONTEXTS:
            timed = {name: Timed() for name in arms}
            for number in range(rounds + 1):
                prompt = words(length, number)
                for name, arm in arms.items():
                    first, rate, read = arm.write(prompt, tokens)
                    if number:  # the first is a rehearsal
                        timed[name].first.append(first)
                        timed[name].rate.append(rate)
                        timed[name].prompt.append(read)
            for name, each in timed.items():
                first = median(each.first)
                rows.append(
                    (
                        name,
                        f"{median(each.prompt):,.0f}",
                        f"{first:.2f} ({min(each.first):.2f} to {max(each.first):.2f})",
                        f"{median(each.prompt) / first:.0f}",
                        f"{median(each.rate):.1f} ({min(each.rate):.1f} to {max(each.rate):.1f})",
                    )
                )
        print(f"{machine()}, n={rounds} prompts a length, {tokens} tokens written\n")
        head = ("arm", "prompt, tokens", "first token, s", "prompt tokens/s", "written tokens/s")
        print(table(head, rows))
        for name, arm in arms.items():
            print(f"{name}: started in {arm.started:.1f} s, {peak_mib(arm.pid):.0f} MiB at most")


def words(length: int, seed: int) -> str:
    """About so many tokens, of random words and numbers."""
    draw = random.Random(seed * 10_000 + length)
    return " ".join(f"{draw.choice(_WORDS)} {draw.randrange(10)}" for _ in range(length // 3))


def peak_mib(pid: int) -> float:
    """The most that a process ever had in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) / 1024


class _Endpoint:
    def __init__(self, client: httpx.Client, pid: int, started: float) -> None:
        self.started, self.pid, self._client = started, pid, client

    def write(self, prompt: str, tokens: int) -> tuple[float, float, int]:
        body = {
            "model": "base",
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        began, first, usage = time.monotonic(), 0.0, {"completion_tokens": 0, "prompt_tokens": 0}
        with self._client.stream("POST", "/v1/chat/completions", json=body) as reply:
            for line in reply.iter_lines():
                if not line.startswith("data: {"):
                    continue
                event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                usage = event.get("usage") or usage
                if any(choice["delta"].get("content") for choice in event["choices"]):
                    first = first or time.monotonic() - began
        rest = time.monotonic() - began - first
        return first, (usage["completion_tokens"] - 1) / rest, usage["prompt_tokens"]


@contextmanager
def endpoint() -> Iterator[Arm]:
    """The program that `gyre up` starts, on a port of its own."""
    with TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        key = Path(folder) / "key"
        key.write_text(KEY)
        key.chmod(0o600)
        command = [*(sys.executable, "-m", "gyre_local.language_model", "--key-file", str(key))]
        began = time.monotonic()
        process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
        try:
            client = httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {KEY}"},
                timeout=_START_SECONDS,
                trust_env=False,
            )
            with client:
                while not is_up(client, began):
                    time.sleep(0.02)
                body = {"name": "base", "path": str(FOLDER)}
                client.post("/v1/load_model", json=body).raise_for_status()
                yield _Endpoint(client, process.pid, time.monotonic() - began)
        finally:
            process.terminate()
            process.wait()


def is_up(client: httpx.Client, began: float) -> bool:
    """Raises SystemExit where it does not come."""
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        if time.monotonic() - began > _START_SECONDS:
            raise SystemExit("error: the local engine did not start") from None
        return False


class _Library:
    def __init__(self, process: "subprocess.Popen[str]", started: float) -> None:
        self.started, self.pid, self._process = started, process.pid, process

    def write(self, prompt: str, tokens: int) -> tuple[float, float, int]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([prompt, tokens]) + "\n")
        self._process.stdin.flush()
        first, rate, read = json.loads(reply_of(self._process))
        return first, rate, read


@contextmanager
def library() -> Iterator[Arm]:
    """OpenVINO GenAI and nothing else."""
    command = [sys.executable, "-m", "bench.generator.engine", "--library"]
    began = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            reply_of(process)
            yield _Library(process, time.monotonic() - began)
        finally:
            process.kill()


def reply_of(process: "subprocess.Popen[str]") -> str:
    """Raises SystemExit where the process ended."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit("error: the library failed: see above")
    return line


def serve_library() -> None:
    """Reads prompts from stdin, a line each, and writes what they took to stdout."""
    library = importlib.import_module("openvino_genai")
    file, threads = str(FOLDER / LANGUAGE_MODEL_FILE), os.cpu_count() or 1
    pipeline = library.LLMPipeline(file, "CPU", INFERENCE_NUM_THREADS=threads)
    tokenizer = pipeline.get_tokenizer()
    print("ready", flush=True)
    for line in sys.stdin:
        prompt, tokens = json.loads(line)
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True
        )
        config = pipeline.get_generation_config()
        config.max_new_tokens, config.apply_chat_template = tokens, False
        ids = tokenizer.encode(text, add_special_tokens=False).input_ids
        pieces: list[float] = []
        began = time.monotonic()
        result = pipeline.generate(ids, config, partial(note_time, pieces))
        first, rest = pieces[0] - began, time.monotonic() - pieces[0]
        written = (len(result.tokens[0]) - 1) / rest
        print(json.dumps([first, written, ids.shape[1]]), flush=True)


def note_time(into: list[float], _: str) -> None:
    """When a piece of text came."""
    into.append(time.monotonic())


if __name__ == "__main__":
    main()
