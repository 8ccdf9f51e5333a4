"""A process that wakes on a connection costs nothing before, and is at rest again afterwards."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
from gyre_local.probes import WakingProbe
from gyre_local.process import LISTENING_SOCKET, ProcessSpec
from gyre_local.state import ProcessState, Status
from gyre_local.supervisor import Supervisor

from tests.eventually import eventually

PROGRAM = f"""
import os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
        self.server.ends = self.path == "/end"

    def log_message(self, *words):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(os.environ["{LISTENING_SOCKET}"]))
server.ends = False
while not server.ends:
    server.handle_request()
"""


def a_spec(port: int) -> ProcessSpec:
    return ProcessSpec(
        name="model",
        argv=(sys.executable, "-c", PROGRAM),
        probe=WakingProbe(),
        ports={"model": port},
        wakes_on=port,
    )


def state(supervisor: Supervisor) -> ProcessState:
    return supervisor.state.processes[0]


async def is_at_rest(supervisor: Supervisor) -> None:
    await eventually(lambda: state(supervisor).status is Status.AT_REST)


async def ask(port: int, path: str = "/") -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    reply = await reader.read()
    writer.close()
    return reply.decode().rpartition("\r\n\r\n")[2]


async def test_it_starts_with_the_first_connection_which_is_answered(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with Supervisor([a_spec(unused_tcp_port)], tmp_path) as supervisor:
        await is_at_rest(supervisor)
        assert supervisor.state.ready
        assert state(supervisor).identity is None
        answers = await asyncio.gather(*(ask(unused_tcp_port) for _ in range(3)))
        await eventually(lambda: state(supervisor).status is Status.READY)
        running = state(supervisor).identity
        assert running is not None
        assert set(answers) == {str(running.pid)}
    assert not psutil.pid_exists(running.pid)


async def test_it_rests_again_when_it_ends_by_itself_and_starts_anew(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with Supervisor([a_spec(unused_tcp_port)], tmp_path) as supervisor:
        await is_at_rest(supervisor)
        first = await ask(unused_tcp_port, "/end")
        await is_at_rest(supervisor)
        assert (state(supervisor).restarts, supervisor.state.ready) == (0, True)
        assert await ask(unused_tcp_port) != first


async def test_one_that_is_killed_is_started_by_the_next_connection(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with Supervisor([a_spec(unused_tcp_port)], tmp_path) as supervisor:
        await is_at_rest(supervisor)
        first = int(await ask(unused_tcp_port))
        os.kill(first, signal.SIGKILL)
        await is_at_rest(supervisor)
        assert (state(supervisor).restarts, state(supervisor).error) == (1, "killed by SIGKILL")
        assert int(await ask(unused_tcp_port)) != first


async def test_stopping_closes_the_port_of_one_at_rest(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with Supervisor([a_spec(unused_tcp_port)], tmp_path) as supervisor:
        await is_at_rest(supervisor)
    try:
        await ask(unused_tcp_port)
    except ConnectionRefusedError:
        return
    raise AssertionError("somebody still listens")
