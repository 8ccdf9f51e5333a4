"""Sources over HTTP: added, listed, synced, paused, removed."""

import pytest

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import Edge

SHELF = "/v1/sources/shelf"
BODY = {"kind": "folder", "settings": {"path": "/srv"}, "schedule": "0 3 * * *", "acl": ["staff"]}


async def test_a_source_is_added_listed_and_synced(edge: Edge, system: FakeSystem) -> None:
    added = (await edge.http.put(SHELF, json=BODY, headers={"gyre-actor": "ann"})).json()
    assert added["source"] == {"name": "shelf", **BODY}
    assert (added["state"], added["actor"]) == ("SOURCE_STATE_SYNCING", "ann")
    await edge.http.get("/v1/sources")
    (listed,) = (await edge.http.get("/v1/sources")).json()["data"]
    assert (listed["state"], listed["documents"]) == ("SOURCE_STATE_SYNCED", 2)
    assert listed["last_sync"]["problems"] == [{"name": "b.md", "detail": "is empty"}]
    reply = await edge.http.post(f"{SHELF}/sync")
    assert (reply.status_code, reply.json()["requested_at"]) == (202, "2026-01-01T00:01:00Z")


async def test_a_source_is_paused_resumed_and_removed(edge: Edge, system: FakeSystem) -> None:
    await edge.http.put(SHELF, json=BODY)
    assert (await edge.http.post(f"{SHELF}/pause")).json() == {"name": "shelf", "paused": True}
    refused = await edge.http.post(f"{SHELF}/sync")
    assert (refused.status_code, "is paused" in refused.text) == (409, True)
    assert (await edge.http.post(f"{SHELF}/resume")).json() == {"name": "shelf", "paused": False}
    reply = await edge.http.delete(SHELF, params={"keep_documents": "true"})
    assert (reply.status_code, reply.json()) == (202, {"name": "shelf", "removed": True})
    assert system.documents_stay == ["shelf"]


async def test_kinds_are_listed_with_their_settings(edge: Edge) -> None:
    (kind,) = (await edge.http.get("/v1/source-kinds")).json()["data"]
    assert kind["kind"] == "folder"
    assert [(each["name"], each["required"]) for each in kind["settings"]] == [("path", True)]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "kind"),
        ({"kind": ""}, "kind"),
        ({"kind": "folder", "settings": {"watch": True}}, "settings.watch"),
        ({"kind": "folder", "paused": True}, "paused"),
    ],
)
async def test_a_body_that_cannot_work_names_the_field(
    edge: Edge, body: object, param: str
) -> None:
    reply = await edge.http.put(SHELF, json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


async def test_a_source_that_is_not_there_is_not_found(edge: Edge) -> None:
    for path in ("sync", "pause", "resume"):
        assert (await edge.http.post(f"/v1/sources/missing/{path}")).status_code == 404
    assert (await edge.http.delete("/v1/sources/missing")).status_code == 404
