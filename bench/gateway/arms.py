"""The edges that are compared: each a process on a core of its own, before the same mock."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

LITELLM = "litellm[proxy]==1.108.7"
KEY = "sk-a-key-of-the-benchmark-0001"
"""Gateway and LiteLLM ask for it."""

_BIN = Path(sys.executable).parent
_LITELLM_VENV = _BIN.parent / "bench-litellm"
_STARTS_WITHIN_SECONDS = 240.0


@dataclass(frozen=True)
class Ports:
    """Where the mock answers, and each of the arms."""

    offset: int

    @property
    def mock_grpc(self) -> int:
        return 50054 + self.offset

    @property
    def mock_http(self) -> int:
        return 8081 + self.offset

    @property
    def bare(self) -> int:
        return 8082 + self.offset

    @property
    def litellm(self) -> int:
        return 8083 + self.offset

    @property
    def edges(self) -> dict[str, int]:
        """By the names of the arms."""
        gateway = 8080 + self.offset
        return {"gateway": gateway, "bare FastAPI": self.bare, "LiteLLM": self.litellm}


@dataclass(frozen=True)
class Arm:
    """How one is started; `ready` is a path that answers 200 once it serves."""

    command: tuple[str, ...]
    environment: dict[str, str]
    ready: str


def arms(ports: Ports) -> dict[str, Arm]:
    """All of them, by name."""
    litellm = str(_LITELLM_VENV / "bin" / "litellm")
    behind = f"http://127.0.0.1:{ports.mock_http}/v1"
    return {
        "gateway": Arm(
            (str(_BIN / "gyre-gateway"),),
            {
                "GYRE_KEYS": KEY,
                "GYRE_PORT_OFFSET": str(ports.offset),
                "GYRE_GENERATOR_ADDRESS": f"127.0.0.1:{ports.mock_grpc}",
            },
            "/healthz",
        ),
        "bare FastAPI": Arm(
            (sys.executable, "-m", "bench.gateway.bare", str(ports.mock_grpc), str(ports.bare)),
            {},
            "/healthz",
        ),
        "LiteLLM": Arm(
            (
                *(litellm, "--host", "127.0.0.1", "--port", str(ports.litellm)),
                *("--model", "openai/gyre", "--alias", "gyre", "--api_base", behind),
            ),
            {
                "LITELLM_MASTER_KEY": KEY,
                "LITELLM_LOG": "ERROR",
                "LITELLM_MODE": "PRODUCTION",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "OPENAI_API_KEY": "any",
            },
            "/health/liveliness",
        ),
    }


def install_litellm() -> None:
    """Into an environment of its own, where it is not there yet."""
    wanted, stamp = LITELLM, _LITELLM_VENV / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    uv, python = str(_BIN / "uv"), str(_LITELLM_VENV / "bin" / "python")
    subprocess.run(
        [uv, "venv", "-q", "--clear", "--python", sys.executable, _LITELLM_VENV], check=True
    )
    subprocess.run([uv, "pip", "install", "-q", "--python", python, wanted], check=True)
    stamp.write_text(wanted)


@asynccontextmanager
async def running_mock(ports: Ports) -> AsyncIterator[None]:
    """The mock, on the core of what sends the load."""
    grpc_port, http_port = str(ports.mock_grpc), str(ports.mock_http)
    command = (sys.executable, "-m", "bench.gateway.mock", grpc_port, http_port)
    async with _process(Arm(command, {}, "/healthz"), ports.mock_http, core=0):
        yield


@asynccontextmanager
async def running_arm(name: str, ports: Ports) -> AsyncIterator[psutil.Process]:
    """One arm, once it serves."""
    async with _process(arms(ports)[name], ports.edges[name], core=1) as process:
        yield process


@asynccontextmanager
async def _process(arm: Arm, port: int, *, core: int) -> AsyncIterator[psutil.Process]:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        raise SystemExit(f"error: port {port} is taken: choose another --port-offset")
    with tempfile.TemporaryFile() as log:
        process = psutil.Popen(
            arm.command, env={**os.environ, **arm.environment}, stdout=log, stderr=log
        )
        process.cpu_affinity([core % (psutil.cpu_count() or 1)])
        try:
            if not await _serves(process, f"http://127.0.0.1:{port}{arm.ready}"):
                log.seek(0)
                log_tail = log.read()[-2_000:].decode(errors="replace")
                raise SystemExit(f"error: {' '.join(arm.command)} does not serve:\n{log_tail}")
            yield process
        finally:
            await asyncio.to_thread(_end, process)


def _end(process: psutil.Popen) -> None:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(15)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()


async def _serves(process: psutil.Popen, url: str) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(_STARTS_WITHIN_SECONDS), httpx2.AsyncClient() as http:
            while process.poll() is None:
                with suppress(httpx2.TransportError):
                    if (await http.get(url)).status_code == 200:
                        return True
                await asyncio.sleep(0.1)
    return False
