"""What changes a system: releases made live or taken back, runs started, followed and stopped."""

import json

import pytest
from gyre_common.errors import Conflict, FailedPrecondition, Unavailable

from tests.eventually import eventually
from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import Edge, an_edge


async def test_releases_are_listed_and_versions_shown(edge: Edge, system: FakeSystem) -> None:
    releases = (await edge.http.get("/v1/releases")).json()["data"]
    assert [(one["role"], one["live"], one["generation"]) for one in releases] == [
        ("generator", "extractive-1", 3),
        ("query-encoder", "minilm-1", 3),
    ]
    shown = (await edge.http.get("/v1/releases/prompt/answer/versions/p-1")).json()
    assert (shown["version"], shown["evidence"], shown["live"]) == ("p-1", {"gate": "passed"}, True)
    assert system.requests[-1].role == "prompt/answer"
    missing = await edge.http.get("/v1/releases/generator/versions/missing")
    assert missing.status_code == 404


async def test_a_version_is_made_live_and_the_one_before_again(
    edge: Edge, system: FakeSystem
) -> None:
    fields = {"version": "extractive-1", "reason": "better", "override": True}
    body = {**fields, "generation": 3, "tenant": "*"}
    headers = {"gyre-actor": "ann"}
    reply = await edge.http.post("/v1/releases/generator/promote", json=body, headers=headers)
    assert reply.status_code == 200
    after = reply.json()
    assert (after["role"], after["before"], after["went_along"]) == (
        "generator",
        "extractive-1",
        {},
    )
    promote = next(one for one in system.requests if hasattr(one, "override"))
    assert (promote.reason, promote.actor, promote.override) == ("better", "ann", True)
    for back in ({"tenant": "*", "reason": "worse", "generation": 3}, {"tenant": "default"}):
        reply = await edge.http.post("/v1/releases/generator/rollback", json=back)
        assert reply.status_code == 200
    assert system.requests[-2].tenant == "default"


@pytest.mark.parametrize("change", ["promote", "rollback"])
async def test_a_change_says_whose_release_it_is(edge: Edge, change: str) -> None:
    body = {"version": "extractive-1"} if change == "promote" else {}
    reply = await edge.http.post(f"/v1/releases/generator/{change}", json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "tenant")


async def test_what_changed_meanwhile_is_a_conflict(edge: Edge, system: FakeSystem) -> None:
    body = {"version": "extractive-1", "generation": 2, "tenant": "*"}
    reply = await edge.http.post("/v1/releases/generator/promote", json=body)
    assert (reply.status_code, reply.json()["error"]["type"]) == (409, "conflict_error")
    assert "generation 3 is the present one" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/releases/generator/promote", {}, "version"),
        ("/v1/releases/generator/promote", {"version": ""}, "version"),
        ("/v1/releases/generator/promote", {"version": "x", "generation": -1}, "generation"),
        ("/v1/releases/generator/promote", {"version": "x", "generation": 2**63}, "generation"),
        ("/v1/releases/generator/promote", {"version": "x", "actor": "eve"}, "actor"),
        ("/v1/releases/generator/rollback", {"version": "x"}, "version"),
        ("/v1/runs", {"settings": {"a": 1}}, "settings.a"),
        ("/v1/runs", {"hold": "perhaps"}, "hold"),
        ("/v1/runs", [], "body"),
    ],
)
async def test_bad_changes_name_the_field(
    edge: Edge, system: FakeSystem, path: str, body: object, param: str
) -> None:
    reply = await edge.http.post(path, json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert not system.requests


async def test_a_run_is_started_and_stopped(edge: Edge, system: FakeSystem) -> None:
    body = {"recipe": "query-encoder", "settings": {"epochs": "2"}, "hold": True}
    reply = await edge.http.post("/v1/runs", json=body, headers={"gyre-actor": "ann"})
    assert (reply.status_code, reply.json()["run_id"]) == (201, "run-c")
    request = system.requests[-1]
    assert (request.recipe, dict(request.settings), request.hold, request.actor) == (
        "query-encoder",
        {"epochs": "2"},
        True,
        "ann",
    )
    assert (await edge.http.post("/v1/runs")).status_code == 201
    cancelled = await edge.http.post("/v1/runs/run-c/cancel")
    assert cancelled.json()["state"] == "cancelled"


async def test_a_run_goes_on(edge: Edge, system: FakeSystem) -> None:
    body = {"resume": "run-c", "reason": "mended"}
    reply = await edge.http.post("/v1/runs", json=body, headers={"gyre-actor": "ann"})
    assert (reply.status_code, reply.json()["state"]) == (201, "running")
    request = system.requests[-1]
    assert (request.resume, request.reason, request.actor) == ("run-c", "mended", "ann")
    assert not any((request.recipe, request.role, request.settings, request.hold))


async def test_a_run_that_cannot_begin_says_why(edge: Edge, system: FakeSystem) -> None:
    missing = FailedPrecondition("training is not installed", code="training-packages-missing")
    for failure, code in ((Conflict("another goes on"), None), (missing, missing.code)):
        system.failures.append(failure)
        reply = await edge.http.post("/v1/runs", json={})
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, code)


async def test_a_run_is_followed_to_its_end(edge: Edge) -> None:
    reply = await edge.http.get("/v1/runs/run-aa/events")
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in reply.text.splitlines() if line]
    states = [json.loads(line.removeprefix("data: "))["state"] for line in lines]
    assert states == ["running", "released"]


async def test_following_shows_that_it_lives_and_ends_with_its_reader(system: FakeSystem) -> None:
    async with (
        an_edge(system, heartbeat_seconds=0.05) as edge,
        edge.http.stream("GET", "/v1/runs/slow/events") as reply,
    ):
        lines = reply.aiter_lines()
        assert json.loads((await anext(lines)).removeprefix("data: "))["state"] == "running"
        async for line in lines:
            if line.startswith(":"):
                break
        assert not system.cancelled.is_set()
        await reply.aclose()
        await eventually(system.cancelled.is_set)


async def test_a_run_that_cannot_be_followed_is_refused_by_its_status(
    edge: Edge, system: FakeSystem
) -> None:
    assert (await edge.http.get("/v1/runs/missing/events")).status_code == 404
    system.failures.append(Unavailable("the trainer starts", retry_after_seconds=60))
    reply = await edge.http.get("/v1/runs/run-aa/events")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "60")
