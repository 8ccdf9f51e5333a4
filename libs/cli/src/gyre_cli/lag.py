"""How far each service is behind, as it says itself on its metrics port."""

import asyncio
import urllib.request
from urllib.error import URLError

from gyre_local.ports import SERVICES, Ports
from prometheus_client.parser import text_string_to_metric_families

_METRIC = "gyre_consumer_lag_records"
_TIMEOUT = 1.0


async def lags(ports: Ports) -> dict[str, int]:
    """Records not handled yet, by service; a service that consumes nothing is missing."""
    found = await asyncio.gather(
        *(asyncio.to_thread(_lag, ports.metrics(service)) for service in SERVICES)
    )
    return {service: lag for service, lag in zip(SERVICES, found, strict=True) if lag is not None}


def _lag(port: int) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_TIMEOUT) as reply:
            text = reply.read().decode()
    except (URLError, TimeoutError, ConnectionError):
        return None
    samples = [
        sample.value
        for family in text_string_to_metric_families(text)
        if family.name == _METRIC
        for sample in family.samples
    ]
    return int(sum(samples)) if samples else None
