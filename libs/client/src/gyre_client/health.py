"""What a service says of itself to those who run it: how far behind it is, and what troubles it."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_ABOVE_METRICS = 50051 - 9101
_LAG = "gyre_consumer_lag_records{"
_STALLED = "gyre_consumer_stalled_seconds{"
_TOPIC = re.compile(r'topic="([^"]*)"')

LONGEST_STANDSTILL = 300.0
"""Seconds for which a record may stand unfinished with nobody told of it."""


@dataclass(frozen=True)
class Health:
    """`lag` counts the records that it has not handled yet: None of a service that consumes
    nothing, or does not answer. `problems` say why it is not ready, or why events do not flow, also
    where it is ready: what stands still for long.
    """

    lag: int | None = None
    problems: tuple[str, ...] = ()


def metrics_address(address: str) -> str:
    """Where the service shows its metrics that serves gRPC at HOST:PORT: every port of a service
    moves with the others.
    """
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) - _ABOVE_METRICS}"


def health_at(metrics: str, *, timeout: float) -> Health:
    """Of the service whose metrics are at HOST:PORT. Blocks."""
    # Slow to import, for programs that only ask and vote.
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, build_opener

    # The services of a system are not behind the proxy that the rest of the world is behind.
    opener = build_opener(ProxyHandler({}))

    def text(path: str) -> str:
        try:
            with opener.open(f"http://{metrics}{path}", timeout=timeout) as reply:
                return str(reply.read().decode())
        except HTTPError as error:  # an unready one says why
            return error.read().decode()

    try:
        readiness, lines = json.loads(text("/readyz")), text("/metrics").splitlines()
        lags = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(_LAG)]
        problems = [readiness["waiting_for"], *readiness["problems"], *_standing_still(lines)]
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return Health()
    return Health(int(sum(lags)) if lags else None, tuple(filter(None, problems)))


def _standing_still(metrics: Iterable[str]) -> Iterator[str]:
    for line in metrics:
        if line.startswith(_STALLED) and (seconds := float(line.rpartition(" ")[2])):
            topic = _TOPIC.search(line)
            if topic and seconds > LONGEST_STANDSTILL:
                yield f"{topic[1]} stands still before a record for {seconds / 60:.0f} min"
