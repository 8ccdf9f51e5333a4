"""The life of a service's process: started for real, asked over HTTP and gRPC, ended by signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc

PROGRAM = """
import asyncio, os, sys, time
from contextlib import asynccontextmanager
from pathlib import Path
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_common.app import App, run
from gyre_common.errors import FailedPrecondition, GyreError, Retryable
from gyre_common.settings import ServiceSettings

HERE = Path(sys.argv[1])


class TeaSettings(ServiceSettings):
    service = "tea"
    grpc_port_base = int(sys.argv[2])
    metrics_port_base = int(sys.argv[3])


class Retriever(retriever_pb2_grpc.RetrieverServiceServicer):
    async def Retrieve(self, request, context):
        (HERE / "called").touch()
        while request.query == "slow" and not (HERE / "answer").exists():
            await asyncio.sleep(0.01)
        return retriever_pb2.RetrieveResponse()


async def until(name):
    while not (HERE / name).exists():
        await asyncio.sleep(0.01)


async def fail_on_fence():
    await until("fence")
    raise FailedPrecondition("another controller took over")


async def crash_on_crash():
    await until("crash")
    raise ZeroDivisionError("a bug")


class Bus:
    def problems(self):
        return ["t partition 0 is held at offset 7: why"] if (HERE / "held").exists() else []

    def troubles(self):
        return ["tenant acme is held"] if (HERE / "tenant-held").exists() else []

    def alive(self):
        return not (HERE / "ended").exists()


def index_is_there():
    while (HERE / "stuck").exists():
        time.sleep(0.01)
    return not (HERE / "index-down").exists()


@asynccontextmanager
async def draining():
    yield
    while (HERE / "never-drain").exists():
        await asyncio.sleep(0.01)
    if (HERE / "hang").exists():
        time.sleep(60)
    (HERE / "drained").touch()


async def create_app(settings, enter):
    if (HERE / "engine-down").exists():
        raise Retryable("Kafka at 127.0.0.1:9092 does not answer")
    if (HERE / "refuse").exists():
        raise GyreError("the index was made by a newer version: upgrade this service")
    await enter(draining())
    return App(
        rpc=[Retriever()],
        bus=Bus(),
        ready={"index": index_is_there},
        tasks=[fail_on_fence, crash_on_crash],
    )


if __name__ == "__main__":
    del sys.argv[1:4]
    run(TeaSettings, create_app)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(check: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return value


class Service:
    """A process under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.grpc_port, self.metrics_port = free_port(), free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self, *own: str, **variables: str) -> "Service":
        program = self.folder / "tea.py"
        program.write_text(textwrap.dedent(PROGRAM))
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GYRE_")}
        arguments = [str(self.folder), str(self.grpc_port), str(self.metrics_port), *own]
        self.process = subprocess.Popen(
            [sys.executable, str(program), *arguments],
            env={**clean, **variables},
            stderr=(self.folder / "stderr").open("w"),
            text=True,
        )
        return self

    def set_flag(self, name: str) -> None:
        (self.folder / name).touch()

    def clear_flag(self, name: str) -> None:
        (self.folder / name).unlink()

    def has_flag(self, name: str) -> bool:
        return (self.folder / name).exists()

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def exit_status(self, seconds: float = 60.0) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stderr_lines(self) -> list[str]:
        return (self.folder / "stderr").read_text().splitlines()

    def logged(self, message: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.stderr_lines() if line.startswith("{")]
        return [line for line in lines if line["message"] == message]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}") as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def readiness(self) -> dict[str, Any]:
        _, body = self.get("/readyz")
        readyz: dict[str, Any] = json.loads(body or "{}")
        return readyz

    def health(self) -> str:
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                reply = stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.RpcError:
                return "unreachable"
            return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    if service.process is not None and service.process.poll() is None:
        service.process.kill()
        service.process.wait()


def test_a_service_becomes_ready_and_ends_cleanly_on_sigterm(service: Service) -> None:
    service.start()
    until(lambda: service.health() == "SERVING")
    assert service.readiness() == {
        "ready": True,
        "checks": {"started": True, "kafka": True, "index": True},
        "waiting_for": "",
        "problems": [],
    }
    assert service.get("/healthz")[0] == 200
    status, metrics = service.get("/metrics")
    assert status == 200
    assert 'gyre_ready{check="index"} 1.0' in metrics
    assert service.get("/elsewhere")[0] == 404
    service.signal(signal.SIGTERM)
    assert service.exit_status() == 0
    assert service.has_flag("drained")
    assert service.logged("stopped")
    assert all(line.startswith("{") for line in service.stderr_lines())


def test_a_service_waits_for_an_engine_that_is_down_at_start(service: Service) -> None:
    service.set_flag("engine-down")
    service.start()
    until(lambda: len(service.logged("waiting")) >= 2)
    assert service.health() == "NOT_SERVING"
    assert service.get("/readyz")[0] == 503
    reason = "Kafka at 127.0.0.1:9092 does not answer"
    assert service.readiness()["waiting_for"] == reason
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        stub = retriever_pb2_grpc.RetrieverServiceStub(channel)
        with pytest.raises(grpc.RpcError, match=reason):
            stub.Retrieve(retriever_pb2.RetrieveRequest())
    pauses = [line["retry_seconds"] for line in service.logged("waiting")]
    assert pauses == sorted(set(pauses)), "each pause is longer than the one before"
    service.clear_flag("engine-down")
    until(lambda: service.health() == "SERVING")


def test_a_service_that_waits_can_be_stopped(service: Service) -> None:
    service.set_flag("engine-down")
    service.start()
    until(lambda: service.logged("waiting"))
    service.signal(signal.SIGINT)
    assert service.exit_status() == 0


def test_an_engine_that_goes_away_makes_the_service_unready_until_it_is_back(
    service: Service,
) -> None:
    service.start()
    until(lambda: service.health() == "SERVING")
    service.set_flag("index-down")
    until(lambda: service.health() == "NOT_SERVING")
    assert service.readiness()["checks"] == {"started": True, "kafka": True, "index": False}
    service.clear_flag("index-down")
    until(lambda: service.health() == "SERVING")
    assert service.logged("not ready")[0]["missing"] == ["index"]


def test_a_held_partition_makes_a_service_unready_and_says_which_but_it_lives(
    service: Service,
) -> None:
    service.start()
    until(lambda: service.health() == "SERVING")
    service.set_flag("held")
    until(lambda: service.health() == "NOT_SERVING")
    problem = "t partition 0 is held at offset 7: why"
    assert service.readiness()["problems"] == [problem]
    assert service.logged("not ready")[0]["problems"] == [problem]
    assert service.get("/healthz") == (200, "ok\n")


def test_a_service_whose_consumer_ended_does_not_live(service: Service) -> None:
    service.start()
    until(lambda: service.health() == "SERVING")
    service.set_flag("ended")
    assert service.get("/healthz") == (503, "a task that consumes has ended\n")


def test_a_service_whose_event_loop_is_stuck_does_not_live_until_it_turns_again(
    service: Service,
) -> None:
    service.start()
    until(lambda: service.health() == "SERVING")
    service.set_flag("stuck")
    until(lambda: service.get("/healthz")[0] == 503, 60)
    service.clear_flag("stuck")
    until(lambda: service.get("/healthz") == (200, "ok\n"))
    assert "in index_is_there" in service.logged("the event loop is stuck")[0]["stack"]


def test_a_held_tenant_is_shown_and_leaves_the_service_ready(service: Service) -> None:
    service.set_flag("tenant-held")
    service.start()
    until(lambda: service.health() == "SERVING")
    readiness = service.readiness()
    assert (readiness["ready"], readiness["problems"]) == (True, ["tenant acme is held"])


def test_a_call_in_flight_is_answered_before_the_process_ends(service: Service) -> None:
    service.start()
    until(lambda: service.health() == "SERVING")
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        stub = retriever_pb2_grpc.RetrieverServiceStub(channel)
        reply = stub.Retrieve.future(retriever_pb2.RetrieveRequest(query="slow"), timeout=20)
        until(lambda: service.has_flag("called"))
        service.signal(signal.SIGTERM)
        until(lambda: service.logged("draining"))
        service.set_flag("answer")
        assert reply.result() == retriever_pb2.RetrieveResponse()
    assert service.exit_status() == 0


def test_a_key_of_somebody_opens_their_tenants_alone(service: Service) -> None:
    ann = {"key": "key-of-ann-0123456", "actor": "ann", "tenants": ["acme"]}
    service.start(GYRE_KEYS="key-of-the-services", GYRE_IDENTITIES=json.dumps([ann]))
    until(lambda: service.health() == "SERVING")
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        stub = retriever_pb2_grpc.RetrieverServiceStub(channel)
        for tenant, code in (("acme", None), ("zoo", grpc.StatusCode.PERMISSION_DENIED)):
            metadata = (("gyre-tenant", tenant), ("authorization", f"Bearer {ann['key']}"))
            error = stub.Retrieve.future(
                retriever_pb2.RetrieveRequest(), metadata=metadata
            ).exception(timeout=10)
            assert (error.code() if error else None) == code


def test_a_drain_that_takes_too_long_is_cut_off(service: Service) -> None:
    service.set_flag("never-drain")
    service.start(GYRE_DRAIN_SECONDS="0.3")
    until(lambda: service.health() == "SERVING")
    service.signal(signal.SIGTERM)
    assert service.exit_status() == 1
    assert service.logged("not drained in time")


def test_a_drain_that_hangs_is_cut_off_all_the_same(service: Service) -> None:
    service.set_flag("hang")
    service.start(GYRE_DRAIN_SECONDS="0.3")
    until(lambda: service.health() == "SERVING")
    service.signal(signal.SIGTERM)
    assert service.exit_status() == 1


def test_a_second_signal_ends_the_process_at_once(service: Service) -> None:
    service.set_flag("never-drain")
    service.start()
    until(lambda: service.health() == "SERVING")
    service.signal(signal.SIGINT)
    until(lambda: service.logged("draining"))
    service.signal(signal.SIGINT)
    assert service.exit_status(5) == 128 + signal.SIGINT


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("GYRE_PORT_OFFSET", "50", "GYRE_PORT_OFFSET"),
        ("GYRE_HOST", "0.0.0.0", "GYRE_KEYS"),
        ("GYRE_KEYS", "short", "GYRE_KEYS"),
        ("GYRE_IDENTITIES", '[{"key": "key-of-ann-0123456", "actor": "ann"}]', "set GYRE_KEYS"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line_and_status_2(
    service: Service, variable: str, value: str, says: str
) -> None:
    service.start(**{variable: value})
    assert service.exit_status() == 2
    [line] = service.stderr_lines()
    assert line.startswith("gyre-tea: ")
    assert says in line


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("--port=1", 2), ("up", 2)])
def test_arguments_start_nothing(service: Service, argument: str, status: int) -> None:
    service.start(argument)
    assert service.exit_status() == status
    assert [line for line in service.stderr_lines() if "unrecognized" in line] == (
        [f"tea.py: error: unrecognized arguments: {argument}"] if status else []
    )


@pytest.mark.parametrize("which", ["grpc_port", "metrics_port"])
def test_a_taken_port_is_one_line_that_names_it(service: Service, which: str) -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        setattr(service, which, occupied.getsockname()[1])
        service.start()
        assert service.exit_status() == 1
        [line] = service.stderr_lines()
        assert f"127.0.0.1:{getattr(service, which)}" in line
        assert "GYRE_PORT_OFFSET" in line


def test_a_failure_at_start_that_waiting_cannot_mend_is_one_line(service: Service) -> None:
    service.set_flag("refuse")
    service.start()
    assert service.exit_status() == 1
    [line] = service.stderr_lines()
    assert line == "gyre-tea: the index was made by a newer version: upgrade this service"


def test_a_failure_of_a_services_own_task_ends_the_process_with_one_line(service: Service) -> None:
    service.start()
    until(lambda: service.health() == "SERVING")
    service.set_flag("fence")
    assert service.exit_status() == 1
    assert service.stderr_lines()[-1] == "gyre-tea: another controller took over"


def test_a_bug_ends_the_process_with_its_traceback_in_one_log_line(service: Service) -> None:
    service.start()
    until(lambda: service.health() == "SERVING")
    service.set_flag("crash")
    assert service.exit_status() == 1
    [line] = service.logged("crashed")
    assert "ZeroDivisionError: a bug" in line["exc_info"]
    assert all(line.startswith("{") for line in service.stderr_lines())
