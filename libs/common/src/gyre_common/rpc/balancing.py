"""Replicas behind one name: calls go to all of them in turn, and a call that one of them lost is
made again where nothing can be done twice (docs/adr/0052).
"""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

import grpc

REPEATABLE: Mapping[str, tuple[str, ...]] = {
    "gyre.embedder.v1.EmbedderService": ("Embed",),
    "gyre.generator.v1.GeneratorService": ("TryVersion", "AnswerFrom", "RenderPrompt"),
    "gyre.ingestor.v1.IngestorService": (
        "GetDocument",
        "ListDocuments",
        "GetIndexRebuild",
        "ListFormats",
    ),
    "gyre.ingestor.v1.SourceService": ("ListSources", "ListSourceKinds"),
    "gyre.judge.v1.JudgeService": ("Judge", "Compare"),
    "gyre.releases.v1.ReleaseService": ("ListReleases", "GetVersion"),
    "gyre.retriever.v1.RetrieverService": ("Retrieve", "ReadableDocuments"),
    "gyre.telemetry.v1.TelemetryService": ("GetInteraction", "ListInteractions", "Series"),
    "gyre.telemetry.v1.DeadLetterService": ("List", "Show"),
    "gyre.trainer.v1.TrainerService": ("GetRun", "ListRuns", "ListDataSets", "GetDataSet"),
}
"""Methods that change nothing. Others are made again by gRPC only where no server has seen them."""

_REPEATABLE_PATHS = {
    f"/{service}/{name}" for service, names in REPEATABLE.items() for name in names
}

BEGUN = "gyre-begun"
"""Metadata that a server sends before it begins what must not be done twice."""

_RETRIES = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
# Past 50 failures more than a tenth of the successes nothing is tried again, until that is better.
_THROTTLING = {"maxTokens": 100, "tokenRatio": 0.1}


class Tries:
    """Of a call of any method: a server that stops cancels what reached it and was not begun, so
    that may be made again. What it has begun, it ends, or says UNAVAILABLE (`RpcServer.drain`); a
    handler that takes no notice of that is cut off, but has said `BEGUN`.
    """

    def __init__(self) -> None:
        self._left = 3

    def end(self) -> None:
        """The call has begun."""
        self._left = 0

    def may_be_made_again(self, error: grpc.aio.AioRpcError) -> bool:
        """Whether a call that ended so was begun by nobody, or may be done twice."""
        self._left -= 1
        if self._left < 0 or error.code() is not grpc.StatusCode.CANCELLED:
            return False
        return all(key != BEGUN for key, _ in error.initial_metadata() or ())


def may_be_done_twice(path: str) -> bool:
    """Of a method, by `/service/method`. A server that sends metadata early would end gRPC's tries
    of these.
    """
    return path in _REPEATABLE_PATHS


def target_of(addresses: str) -> str:
    """How gRPC names HOST:PORT, a name with several addresses, or several IPs with their ports
    between commas.
    """
    parts = [part.strip() for part in addresses.split(",")]
    if len(parts) == 1:
        return parts[0]
    host = parts[0].rpartition(":")[0].strip("[]")
    return f"ipv{ipaddress.ip_address(host).version}:{','.join(parts)}"


def balancing_options(max_message_bytes: int) -> list[tuple[str, Any]]:
    """Options of a channel."""
    names = [
        {"service": service, "method": method}
        for service, methods in REPEATABLE.items()
        for method in methods
    ]
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": names, "retryPolicy": _RETRIES}],
        "retryThrottling": _THROTTLING,
    }
    return [
        ("grpc.service_config", json.dumps(config)),
        # A message that is larger than this is not made again.
        ("grpc.per_rpc_retry_buffer_size", max_message_bytes),
        ("grpc.dns_min_time_between_resolutions_ms", 2_000),
    ]
