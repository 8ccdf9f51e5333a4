"""How far each service is behind and what troubles it, as it says itself on its metrics port."""

import asyncio
import json
import urllib.request
from collections.abc import Mapping, Sequence
from urllib.error import HTTPError, URLError

from gyre_local.ports import SERVICES, Ports
from prometheus_client.parser import text_string_to_metric_families

_METRIC = "gyre_consumer_lag_records"
_TIMEOUT = 1.0


async def lags(ports: Ports) -> dict[str, int]:
    """Records not handled yet, by service; a service that consumes nothing is missing."""
    lags = await asyncio.gather(
        *(asyncio.to_thread(_lag, ports.metrics(service)) for service in SERVICES)
    )
    return {service: lag for service, lag in zip(SERVICES, lags, strict=True) if lag is not None}


async def problems(ports: Ports) -> Mapping[str, Sequence[str]]:
    """Why events do not flow, by service; a service without problems is missing."""
    texts = await asyncio.gather(
        *(asyncio.to_thread(_get, ports.metrics(service), "/readyz") for service in SERVICES)
    )
    lines = {service: _problems(text) for service, text in zip(SERVICES, texts, strict=True)}
    return {service: each for service, each in lines.items() if each}


def _problems(text: str | None) -> list[str]:
    if text is None:
        return []
    readiness = json.loads(text)
    return [*filter(None, [readiness["waiting_for"]]), *readiness["problems"]]


def _lag(port: int) -> int | None:
    text = _get(port, "/metrics")
    if text is None:
        return None
    samples = [
        sample.value
        for family in text_string_to_metric_families(text)
        if family.name == _METRIC
        for sample in family.samples
    ]
    return int(sum(samples)) if samples else None


def _get(port: int, path: str) -> str | None:
    """What is said there, whatever the status; None without an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=_TIMEOUT) as reply:
            text: str = reply.read().decode()
    except HTTPError as error:
        return error.read().decode()
    except (URLError, TimeoutError, ConnectionError):
        return None
    return text
