"""Probes ask and tell; none raises."""

from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from gyre_local.probes import GrpcProbe

from tests.eventually import eventually

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_service_that_starts_stops_and_starts_again_is_seen() -> None:
    server, port = _server(0, SERVING)
    server.stop(None).wait()
    probe = GrpcProbe(port)
    assert not await probe.ready()
    for _ in range(2):
        server, _ = _server(port, SERVING)
        await eventually(probe.ready, timeout=5)
        server.stop(None).wait()
        assert not await probe.ready()


async def test_a_service_that_is_not_ready_is_not() -> None:
    server, port = _server(0, NOT_SERVING)
    assert not await GrpcProbe(port).ready()
    server.stop(None).wait()


def _server(port: int, status: int) -> tuple[grpc.Server, int]:
    """One that answers so, and its port."""
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    servicer.set("", status)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port
