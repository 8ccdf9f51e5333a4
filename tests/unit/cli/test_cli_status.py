"""What troubles a service stands beside it in `gyre status`."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from gyre_cli.commands.status import health_of_services, system_json, system_table
from gyre_client.health import Health
from gyre_local.ports import Ports
from gyre_local.state import ProcessIdentity, ProcessState, Status, SystemState
from rich.console import Console

HELD = "ingestor on documents.submitted.v1: documents.submitted.v1 partition 3 is held at offset 7"
METRICS = """
# TYPE gyre_consumer_lag_records gauge
gyre_consumer_lag_records{topic="documents.submitted.v1"} 3
gyre_consumer_lag_records{topic="documents.deleted.v1"} 2
gyre_consumer_stalled_seconds{group="ingestor",topic="documents.submitted.v1"} 720.4
gyre_consumer_stalled_seconds{group="ingestor",topic="documents.deleted.v1"} 12.0
"""
STALLED = "documents.submitted.v1 stands still before a record for 12 min"


@pytest.fixture
def metrics_port() -> Iterator[int]:
    class Unready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            readiness = {"ready": False, "waiting_for": "", "problems": [HELD]}
            texts = {"/readyz": json.dumps(readiness), "/metrics": METRICS}
            body = texts[self.path].encode()
            self.send_response(503 if self.path == "/readyz" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Unready) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


async def test_a_held_partition_is_shown_beside_its_service(
    metrics_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = 1
    monkeypatch.setattr(
        Ports, "metrics", lambda _, name: metrics_port if name == "ingestor" else nobody
    )
    health = await health_of_services(Ports())
    assert health["ingestor"] == Health(5, (HELD, STALLED))
    assert health["judge"] == Health()
    ingestor = ProcessState(
        name="ingestor", status=Status.UNREADY, since=datetime.now(UTC), log=Path("log")
    )
    state = SystemState(
        supervisor=ProcessIdentity(pid=1, created=0), port_offset=0, processes=(ingestor,)
    )
    services: Any = system_json(state, health)["services"]
    assert (services[0]["lag"], services[0]["problems"]) == (5, (HELD, STALLED))
    console = Console(width=200)
    with console.capture() as capture:
        console.print(system_table(state, health))
    assert HELD in capture.get()
    assert STALLED in capture.get()
