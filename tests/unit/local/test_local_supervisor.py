"""The supervisor starts in order, restarts the dead, names what is wrong and leaves nothing."""

import asyncio
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import textwrap
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from gyre_local import control, keeper
from gyre_local.errors import (
    AlreadyRunningError,
    HomeError,
    LocalError,
    PortTakenError,
    StartError,
)
from gyre_local.home import Home
from gyre_local.process import ProcessSpec, is_alive
from gyre_local.state import Status, SystemState, read_state, write_state
from gyre_local.supervisor import Supervisor

from tests.system import wait_ready

T = TypeVar("T")

DEADLINE = 20.0
IP_LOCAL_PORT_RANGE = 51
"""Of linux/in.h, since 6.3; the socket module does not name it."""
SLEEP = "import time; time.sleep(600)"


@dataclass(frozen=True)
class FileProbe:
    """Ready when the process has written this file."""

    path: Path

    async def ready(self) -> bool:
        return self.path.exists()


class CountedProbe:
    """A file probe that can be waited for."""

    def __init__(self, path: Path) -> None:
        self._file = FileProbe(path)
        self._calls = asyncio.Semaphore(0)

    async def ready(self) -> bool:
        self._calls.release()
        return await self._file.ready()

    async def wait_for_calls(self, times: int) -> None:
        for _ in range(times):
            await self._calls.acquire()


def statuses(state: SystemState) -> list[Status]:
    return [process.status for process in state.processes]


def a_process(folder: Path, name: str, code: str = "", **changes: object) -> ProcessSpec:
    """A Python program that says in `events` what happens to it, then is ready, then sleeps."""
    sign = folder / f"{name}.ready"
    program = f"""\
import pathlib, signal, sys, time
def say(word):
    with open({str(folder / "events")!r}, "a") as events:
        events.write(f"{name} {{word}}\\n")
def end(*_):
    say("stop")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
say("start")
{code}
pathlib.Path({str(sign)!r}).touch()
{SLEEP}
"""
    fields: dict[str, object] = {
        "name": name,
        "argv": (sys.executable, "-c", program),
        "probe": FileProbe(sign),
        **changes,
    }
    return ProcessSpec(**fields)  # type: ignore[arg-type]


def chooses_within_a_range() -> bool:
    """Whether a socket can tell Linux from where to choose the port of an outgoing connection."""
    with socket.socket() as trial:
        try:
            trial.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("=HH", 0, 0))
        except OSError:
            return False
    return True


def events(folder: Path) -> list[str]:
    path = folder / "events"
    return path.read_text().splitlines() if path.exists() else []


async def test_processes_start_after_those_they_need_and_stop_before_them(tmp_path: Path) -> None:
    specs = [
        a_process(tmp_path, "service", depends_on=("kafka", "index")),
        a_process(tmp_path, "kafka"),
        a_process(tmp_path, "index"),
    ]
    async with Supervisor(specs, tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
    happened = events(tmp_path)
    assert set(happened[:2]) == {"kafka start", "index start"}
    assert happened[2:4] == ["service start", "service stop"]
    assert set(happened[4:]) == {"kafka stop", "index stop"}


class BriefPauses:
    """asyncio whose waits with a timeout are over at once; `timeouts` are those that were meant."""

    def __init__(self) -> None:
        self.timeouts: list[float] = []

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)

    async def wait_for(self, awaitable: Awaitable[T], timeout: float) -> T:
        self.timeouts.append(timeout)
        return await asyncio.wait_for(awaitable, 0.01)


async def test_a_dead_process_is_started_again_with_a_growing_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = BriefPauses()
    monkeypatch.setattr(keeper, "asyncio", pauses)
    dying = a_process(tmp_path, "service", "raise SystemExit('error: no such index')")
    async with Supervisor([dying], tmp_path) as supervisor:
        async for state in supervisor.watch():
            (process,) = state.processes
            if process.status is Status.RESTARTING:
                assert process.error == "error: no such index"
            if process.restarts == 4:
                break
    first, second, third = pauses.timeouts[:3]
    assert 0 < first < second < third


async def test_waiting_for_a_process_that_keeps_dying_ends_with_its_reason(tmp_path: Path) -> None:
    dying = a_process(tmp_path, "service", "raise SystemExit('error: bad setting')")
    async with Supervisor([dying], tmp_path) as supervisor:
        with pytest.raises(StartError, match="service keeps dying: error: bad setting"):
            await wait_ready(supervisor, DEADLINE)


async def test_a_process_that_is_killed_comes_back(tmp_path: Path) -> None:
    async with Supervisor([a_process(tmp_path, "service")], tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        os.kill(pid_of(supervisor.state), signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            async for state in supervisor.watch():
                (process,) = state.processes
                if process.restarts == 1 and process.status is Status.READY:
                    break
        assert process.error == "killed by SIGKILL"


async def test_a_process_that_gives_no_sign_of_life_any_more_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_LIVENESS_SECONDS", 0.2)
    monkeypatch.setattr(keeper, "_PAUSES", {})
    sign, life = tmp_path / "service.ready", tmp_path / "life"
    life.touch()
    spec = a_process(tmp_path, "service", liveness=FileProbe(life))
    async with Supervisor([spec], tmp_path) as supervisor, asyncio.timeout(DEADLINE):
        await wait_ready(supervisor, DEADLINE)
        sign.unlink()  # unready, as with an engine away or a partition held
        await anext(s async for s in supervisor.watch() if statuses(s) == [Status.UNREADY])
        life.unlink()
        async for state in supervisor.watch():
            if state.processes[0].restarts:
                break
        assert "without a sign of life" in state.processes[0].error


async def test_a_process_that_is_unready_but_alive_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_LIVENESS_SECONDS", 0.2)
    (tmp_path / "life").touch()
    probe = CountedProbe(tmp_path / "life")
    spec = a_process(tmp_path, "service", liveness=probe)
    monkeypatch.setattr(keeper, "_PAUSES", {})
    async with Supervisor([spec], tmp_path) as supervisor, asyncio.timeout(DEADLINE):
        await wait_ready(supervisor, DEADLINE)
        (tmp_path / "service.ready").unlink()
        await probe.wait_for_calls(10)
        (process,) = supervisor.state.processes
        assert (process.status, process.restarts) == (Status.UNREADY, 0)


async def test_a_process_that_never_gave_a_sign_of_life_is_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_LIVENESS_SECONDS", 0.0)
    probe = CountedProbe(tmp_path / "life")
    spec = a_process(tmp_path, "service", probe=FileProbe(tmp_path / "never"), liveness=probe)
    async with Supervisor([spec], tmp_path) as supervisor, asyncio.timeout(DEADLINE):
        await probe.wait_for_calls(5)
        assert supervisor.state.processes[0].restarts == 0


async def test_a_program_that_does_not_exist_is_an_error_line_and_not_a_traceback(
    tmp_path: Path,
) -> None:
    spec = a_process(tmp_path, "service", argv=("/nonexistent/program",))
    async with Supervisor([spec], tmp_path) as supervisor:
        with pytest.raises(StartError, match="cannot start"):
            await wait_ready(supervisor, DEADLINE)


async def test_a_process_that_cannot_be_prepared_says_why(tmp_path: Path) -> None:
    def refuse() -> None:
        raise LocalError("no room for the index")

    async with Supervisor([a_process(tmp_path, "index", prepare=refuse)], tmp_path) as supervisor:
        with pytest.raises(StartError, match="no room for the index"):
            await wait_ready(supervisor, DEADLINE)


async def test_who_ignores_the_request_to_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    deaf = a_process(tmp_path, "deaf", "signal.signal(signal.SIGTERM, print)", stop_grace=0.2)
    async with Supervisor([deaf], tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        pid = pid_of(supervisor.state)
    assert not psutil.pid_exists(pid)


async def test_stopping_in_the_midst_of_starting_leaves_nothing(tmp_path: Path) -> None:
    specs = [a_process(tmp_path, "first"), a_process(tmp_path, "next", depends_on=("first",))]
    for expected_status in (Status.WAITING, Status.STARTING):
        async with asyncio.timeout(DEADLINE), Supervisor(specs, tmp_path) as supervisor:
            async for state in supervisor.watch():
                if state.processes[0].status is expected_status:
                    supervisor.stop()
        assert {process.status for process in supervisor.state.processes} == {Status.STOPPED}
    assert not any(line.startswith("next") for line in events(tmp_path))


async def test_asking_twice_to_stop_kills_at_once(tmp_path: Path) -> None:
    deaf = a_process(tmp_path, "deaf", "signal.signal(signal.SIGTERM, print)", stop_grace=600.0)
    async with asyncio.timeout(DEADLINE), Supervisor([deaf], tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        supervisor.stop()
        async for state in supervisor.watch():
            if state.processes[0].status is Status.STOPPING:
                supervisor.stop()
    assert supervisor.state.processes[0].status is Status.STOPPED


async def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    parent = a_process(
        tmp_path,
        "parent",
        "import subprocess; inner = subprocess.Popen([sys.executable, '-c', 'import time; "
        f"time.sleep(600)'])\npathlib.Path({str(tmp_path / 'inner')!r}).write_text(str(inner.pid))",
    )
    async with Supervisor([parent], tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        inner = psutil.Process(int((tmp_path / "inner").read_text()))
    assert not inner.is_running() or inner.status() == psutil.STATUS_ZOMBIE


async def test_a_taken_port_is_named_with_its_owner_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        spec = a_process(tmp_path, "service", ports={"grpc": port})
        with pytest.raises(PortTakenError, match=rf"port {port} for grpc \(by .*{os.getpid()}\)"):
            async with Supervisor([spec], tmp_path):
                pytest.fail("it started")
    assert not (tmp_path / "events").exists()


async def test_a_port_that_an_outgoing_connection_has_is_named_with_its_owner(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, going_out(server) as connection:
        port = connection.getsockname()[1]
        spec = a_process(tmp_path, "service", ports={"grpc": port})
        with pytest.raises(PortTakenError, match=rf"port {port} for grpc \(by .*{os.getpid()}\)"):
            async with Supervisor([spec], tmp_path):
                pytest.fail("it started")


@pytest.mark.skipif(not chooses_within_a_range(), reason="needs Linux 6.3")
async def test_no_outgoing_connection_gets_a_port_before_its_server_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with going_out(server) as connection:
            port = connection.getsockname()[1]
        going_out(server, port).close()  # nothing but the supervisor is in the way
        listening = f"import socket; server = socket.create_server(('127.0.0.1', {port}))"
        spec = a_process(tmp_path, "service", listening, ports={"grpc": port})
        async with Supervisor([spec], tmp_path) as supervisor:
            with pytest.raises(OSError, match="Cannot assign requested address"):
                going_out(server, port)
            await wait_ready(supervisor, DEADLINE)


def going_out(to: socket.socket, port: int | None = None) -> socket.socket:
    """A connection whose own port Linux chooses, from a range of one if `port` is given."""
    client_socket = socket.socket()
    client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if port is not None:
        client_socket.setsockopt(
            socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("=HH", port, port)
        )
    try:
        client_socket.connect(to.getsockname())
    except OSError:
        client_socket.close()
        raise
    return client_socket


async def test_a_home_that_is_in_use_is_refused(tmp_path: Path) -> None:
    async with Supervisor([a_process(tmp_path, "service")], tmp_path):
        with pytest.raises(AlreadyRunningError, match=rf"pid {os.getpid()}"):
            async with Supervisor([a_process(tmp_path, "other")], tmp_path):
                pytest.fail("it started")


async def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file in the way")
    with pytest.raises(HomeError, match=r"cannot use .*home: .*--home"):
        async with Supervisor([], tmp_path / "home"):
            pytest.fail("it started")


async def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=100 * 1024 * 1024)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(HomeError, match="100 MB free, 512 MB are needed"):
        async with Supervisor([], tmp_path):
            pytest.fail("it started")


async def test_the_state_file_tells_what_runs_and_then_that_nothing_does(tmp_path: Path) -> None:
    spec = a_process(tmp_path, "service", ports={"grpc": 1})
    async with Supervisor([spec], tmp_path, port_offset=300) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        state = control.running_state(tmp_path)
        assert state is not None
        assert (state.port_offset, state.processes[0].ports) == (300, {"grpc": 1})
        assert state.ready
    state_on_disk = read_state(Home(tmp_path).state)
    assert state_on_disk is not None
    assert [process.status for process in state_on_disk.processes] == [Status.STOPPED]
    assert state_on_disk.processes[0].identity is None


async def test_what_a_killed_supervisor_left_behind_is_swept_up(tmp_path: Path) -> None:
    orphan = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    bystander = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    try:
        leave_behind(tmp_path, orphan.pid, psutil.Process(orphan.pid).create_time())
        async with Supervisor([], tmp_path):
            assert not psutil.pid_exists(orphan.pid)
        leave_behind(tmp_path, bystander.pid, psutil.Process(bystander.pid).create_time() - 60)
        async with Supervisor([], tmp_path):
            assert bystander.poll() is None  # it only has the pid of the one that was left
    finally:
        orphan.kill()
        bystander.kill()


async def test_launching_waits_until_ready_and_stopping_leaves_nothing(tmp_path: Path) -> None:
    command = a_supervising_program(tmp_path, "")
    states = [s async for s in control.launch(command, tmp_path, deadline_seconds=DEADLINE)]
    assert states[-1].ready
    assert await control.stop_running(tmp_path)
    assert not is_alive(states[-1].supervisor)
    assert events(tmp_path) == ["service start", "service stop"]
    assert not await control.stop_running(tmp_path)


async def test_launching_twice_is_refused_and_leaves_the_first_alone(tmp_path: Path) -> None:
    command = a_supervising_program(tmp_path, "")
    states = [s async for s in control.launch(command, tmp_path, deadline_seconds=DEADLINE)]
    with pytest.raises(AlreadyRunningError, match=f"pid {states[-1].supervisor.pid}"):
        await anext(control.launch(command, tmp_path, deadline_seconds=DEADLINE))
    assert control.running_state(tmp_path) == states[-1]
    await control.stop_running(tmp_path)


async def test_launching_what_is_never_ready_ends_at_its_deadline(tmp_path: Path) -> None:
    command = a_supervising_program(tmp_path, "time.sleep(600)")
    with pytest.raises(StartError, match="not ready after 2 s"):
        async for _ in control.launch(command, tmp_path, deadline_seconds=2.0):
            pass
    assert control.running_state(tmp_path) is None


async def test_launching_what_cannot_start_gives_its_error_line(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('error: no Java found: install it')")
    with pytest.raises(StartError, match=r"^no Java found: install it$"):
        async for _ in control.launch(command, tmp_path, deadline_seconds=DEADLINE):
            pass


async def test_killing_the_supervisor_takes_its_processes_along(tmp_path: Path) -> None:
    command = a_supervising_program(tmp_path, "")
    async for state in control.launch(command, tmp_path, deadline_seconds=DEADLINE):
        last = state
    child = last.processes[0].identity
    assert child is not None
    os.kill(last.supervisor.pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE):
        while is_alive(child):
            await asyncio.sleep(0.01)
    assert control.running_state(tmp_path) is None


async def test_a_second_ctrl_c_ends_a_system_that_hangs(tmp_path: Path) -> None:
    command = a_supervising_program(tmp_path, "signal.signal(signal.SIGTERM, print)")
    async for state in control.launch(command, tmp_path, deadline_seconds=DEADLINE):
        last = state
    os.kill(last.supervisor.pid, signal.SIGINT)
    async with asyncio.timeout(DEADLINE):
        while status_in(tmp_path) is not Status.STOPPING:
            await asyncio.sleep(0.01)
        os.kill(last.supervisor.pid, signal.SIGINT)
        while is_alive(last.supervisor):
            await asyncio.sleep(0.01)
    child = last.processes[0].identity
    assert child is not None
    assert not is_alive(child)


def test_a_state_file_of_another_shape_is_no_state(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"processes": 1}))
    assert read_state(path) is None


def pid_of(state: SystemState) -> int:
    identity = state.processes[0].identity
    assert identity is not None
    return identity.pid


def status_in(home: Path) -> Status | None:
    state = read_state(Home(home).state)
    return state.processes[0].status if state else None


def leave_behind(home: Path, pid: int, created: float) -> None:
    """The state file of a supervisor that is no more, naming this process as its child."""
    process = {
        "name": "orphan",
        "status": "ready",
        "since": "2026-01-01T00:00:00Z",
        "identity": {"pid": pid, "created": created},
        "log": "x.log",
    }
    state = {
        "supervisor": {"pid": 999_999_999, "created": 0},
        "port_offset": 0,
        "processes": [process],
    }
    Home(home).prepare()
    write_state(Home(home).state, SystemState.model_validate(state))


def a_supervising_program(folder: Path, code: str) -> tuple[str, ...]:
    """The smallest program that runs one process in the foreground."""
    spec = a_process(folder, "service", code)
    sign = folder / "service.ready"
    program = textwrap.dedent(f"""\
        import asyncio, pathlib
        from gyre_local.ports import Ports
        from gyre_local.process import ProcessSpec
        from gyre_local.system import run_in_foreground

        class Probe:
            async def ready(self):
                return pathlib.Path({str(sign)!r}).exists()

        spec = ProcessSpec(name="service", argv={spec.argv!r}, probe=Probe(), stop_grace=600.0)
        asyncio.run(run_in_foreground([spec], pathlib.Path({str(folder)!r}), Ports()))
        """)
    return (sys.executable, "-c", program)
