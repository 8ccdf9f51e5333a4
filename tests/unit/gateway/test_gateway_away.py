"""Services that are away, one by one: who needs them hears which, and when to come back."""

from typing import Any

import pytest

from tests.unit.client.fake_system import IDS, FakeSystem
from tests.unit.gateway.edge import KEY, an_edge

CHAT = {"model": "gyre", "messages": [{"role": "user", "content": "How hot?"}]}
DOCUMENT = {"document_id": "a", "text": "x"}
VOTE = {"interaction_id": IDS[0], "value": "up"}

NEEDS: dict[tuple[str, str], tuple[str, dict[str, Any] | None]] = {
    ("POST", "/v1/chat/completions"): ("generator", CHAT),
    ("POST", "/v1/responses"): ("generator", {"model": "gyre", "input": "How hot?"}),
    ("POST", "/v1/embeddings"): ("embedder", {"model": "gyre", "input": "tea"}),
    ("GET", "/v1/models"): ("releases", None),
    ("GET", "/v1/models/{model}"): ("releases", None),
    ("POST", "/v1/documents"): ("ingestor", DOCUMENT),
    ("GET", "/v1/documents"): ("ingestor", None),
    ("GET", "/v1/documents/{document_id}"): ("ingestor", None),
    ("DELETE", "/v1/documents/{document_id}"): ("ingestor", None),
    ("POST", "/v1/documents/{document_id}/quarantine"): (
        "ingestor",
        {"verdict": "released"},
    ),
    ("GET", "/v1/sources"): ("ingestor", None),
    ("GET", "/v1/source-kinds"): ("ingestor", None),
    ("PUT", "/v1/sources/{name}"): ("ingestor", {"kind": "folder"}),
    ("DELETE", "/v1/sources/{name}"): ("ingestor", None),
    ("POST", "/v1/sources/{name}/sync"): ("ingestor", None),
    ("POST", "/v1/sources/{name}/pause"): ("ingestor", None),
    ("POST", "/v1/sources/{name}/resume"): ("ingestor", None),
    ("POST", "/v1/feedback"): ("feedback", VOTE),
    ("GET", "/v1/interactions"): ("telemetry", None),
    ("GET", "/v1/interactions/{interaction_id}"): ("telemetry", None),
    ("GET", "/v1/series/{view}"): ("telemetry", None),
    ("GET", "/v1/dead-letters"): ("telemetry", None),
    ("GET", "/v1/dead-letters/{topic}"): ("telemetry", None),
    ("POST", "/v1/dead-letters/{topic}/replay"): ("telemetry", {"offsets": [7]}),
    ("POST", "/v1/dead-letters/{topic}/drop"): ("telemetry", {"offsets": [7], "reason": "no use"}),
    ("GET", "/v1/releases"): ("releases", None),
    ("GET", "/v1/releases/{role}/versions/{version}"): ("releases", None),
    ("POST", "/v1/releases/{role}/promote"): (
        "releases",
        {"version": "extractive-1", "tenant": "*"},
    ),
    ("POST", "/v1/releases/{role}/rollback"): ("releases", {"tenant": "*"}),
    ("GET", "/v1/runs"): ("trainer", None),
    ("POST", "/v1/runs"): ("trainer", {}),
    ("GET", "/v1/runs/{run_id}"): ("trainer", None),
    ("GET", "/v1/runs/{run_id}/events"): ("trainer", None),
    ("POST", "/v1/runs/{run_id}/cancel"): ("trainer", None),
    ("GET", "/v1/datasets"): ("trainer", None),
}
"""Which service a route cannot do without; /v1/status can do without any."""


@pytest.mark.parametrize("service", sorted({service for service, _ in NEEDS.values()}))
async def test_what_needs_a_service_that_is_away_says_so(service: str) -> None:
    async with an_edge(FakeSystem(), away=service) as edge:
        for (method, path), (needed, body) in NEEDS.items():
            reply = await edge.http.request(method, filled(path), json=body)
            if needed == service:
                assert reply.status_code == 503, (method, path)
                assert f"service {service} should be" in reply.json()["error"]["message"]
                assert int(reply.headers["retry-after"]) >= 1
            else:
                assert reply.status_code < 300, (method, path, reply.text)


def filled(path: str) -> str:
    """With something in the place of each parameter."""
    values = {"model": "extractive-1", "interaction_id": IDS[0], "role": "generator"}
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    return path


async def test_every_route_is_known_here_has_a_summary_and_asks_for_a_key() -> None:
    async with an_edge(FakeSystem(), keys=KEY) as edge:
        described = (await edge.http.get("/openapi.json")).json()["paths"]
        operations = {
            (method.upper(), path): operation
            for path, methods in described.items()
            for method, operation in methods.items()
            if path.startswith("/v1")
        }
        assert set(operations) == {*NEEDS, ("GET", "/v1/status")}
        for (method, path), operation in operations.items():
            assert operation["summary"]
            assert operation["description"]
            body = NEEDS.get((method, path), ("", None))[1]
            assert (await edge.http.request(method, path, json=body)).status_code == 401
