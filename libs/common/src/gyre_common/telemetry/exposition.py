"""The small HTTP server that shows metrics and readiness, also for services without RPC."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gyre_common.errors import GyreError
from gyre_common.telemetry.metrics import METRICS

_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Readiness:
    """The checks of a process, by name; it is ready when all hold. `problems` says why not, and
    what else goes wrong.
    """

    checks: Mapping[str, bool]
    waiting_for: str = ""
    problems: Sequence[str] = ()

    @property
    def ready(self) -> bool:
        """Whether every check holds."""
        return all(self.checks.values())


@contextmanager
def expose(
    host: str, port: int, state: Callable[[], Readiness], liveness_problem: Callable[[], str]
) -> Iterator[int]:
    """Answer `/metrics`, `/readyz` (200 or 503, and why) and `/healthz` (503 where only a restart
    helps, and why); `state` and `liveness_problem` are called in threads of the server.

    Yields the port, a free one when `port` is 0. Raises GyreError when the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._reply(200, CONTENT_TYPE_LATEST, generate_latest(METRICS.registry))
                case "/healthz":
                    problem = liveness_problem()
                    self._reply(503 if problem else 200, _TEXT, f"{problem or 'ok'}\n".encode())
                case "/readyz":
                    now = state()
                    body = json.dumps({"ready": now.ready, **asdict(now)}).encode() + b"\n"
                    self._reply(200 if now.ready else 503, "application/json", body)
                case _:
                    self._reply(404, _TEXT, b"try /metrics, /healthz or /readyz\n")

        def _reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Probes are not worth a line."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    try:
        server = Server((host, port), Handler)
    except OSError as error:
        raise GyreError(
            f"cannot show metrics on {host}:{port}: {error.strerror}; set GYRE_PORT_OFFSET"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
