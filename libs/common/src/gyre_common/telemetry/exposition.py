"""The small HTTP server that shows metrics and readiness, also for services without RPC."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gyre_common.errors import GyreError
from gyre_common.telemetry.metrics import METRICS


@dataclass(frozen=True)
class Readiness:
    """The checks of a process, by name; it is ready when all hold."""

    checks: Mapping[str, bool]
    waiting_for: str = ""

    @property
    def ready(self) -> bool:
        """Tell whether every check holds."""
        return all(self.checks.values())


@contextmanager
def expose(host: str, port: int, state: Callable[[], Readiness]) -> Iterator[int]:
    """Answer `/metrics`, `/healthz` (the process lives) and `/readyz` (200 or 503, and why).

    Yields the port, a free one when `port` is 0. Raises GyreError when the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = _reply(self.path, state)
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


def _reply(path: str, state: Callable[[], Readiness]) -> tuple[int, str, bytes]:
    match path.partition("?")[0]:
        case "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(METRICS.registry)
        case "/healthz":
            return 200, "text/plain; charset=utf-8", b"ok\n"
        case "/readyz":
            now = state()
            told = {"ready": now.ready, "checks": dict(now.checks), "waiting_for": now.waiting_for}
            body = json.dumps(told).encode() + b"\n"
            return 200 if now.ready else 503, "application/json", body
        case _:
            return 404, "text/plain; charset=utf-8", b"try /metrics, /healthz or /readyz\n"
