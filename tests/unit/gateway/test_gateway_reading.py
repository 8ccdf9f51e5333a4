"""What is read over HTTP: interactions, views, runs, dead letters, status; and feedback, which is
written.
"""

import pytest
from gyre_client import Addresses

from tests.unit.client.fake_system import IDS, FakeSystem
from tests.unit.gateway.edge import Edge, an_edge


async def test_a_vote_is_recorded_with_all_that_is_said(edge: Edge, system: FakeSystem) -> None:
    body = {"interaction_id": IDS[0], "value": "down", "comment": "No.", "correction": "80."}
    headers = {"idempotency-key": "once", "gyre-actor": "ann"}
    reply = await edge.http.post("/v1/feedback", json=body, headers=headers)
    assert reply.json() == {"feedback_ids": {"thumb": "f1", "correction": "f2"}}
    thumb, correction = system.requests
    assert (thumb.value, thumb.comment, thumb.actor) == ("down", "No.", "ann")
    assert correction.value == "80."
    assert [thumb.idempotency_key, correction.idempotency_key] == ["once/thumb", "once/correction"]


async def test_a_passage_is_voted_on(edge: Edge, system: FakeSystem) -> None:
    body = {"interaction_id": IDS[0], "value": "up", "chunk_id": "c1"}
    reply = await edge.http.post("/v1/feedback", json=body)
    assert list(reply.json()["feedback_ids"]) == ["chunk"]
    assert system.requests[0].target == "c1"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "interaction_id"),
        ({"interaction_id": IDS[0]}, "value"),
        ({"interaction_id": IDS[0], "value": "sideways"}, "value"),
        ({"interaction_id": IDS[0], "value": 5}, "value"),
        ({"interaction_id": IDS[0], "chunk_id": "c1"}, "value"),
        ({"interaction_id": IDS[0], "value": "up", "actor": "eve"}, "actor"),
    ],
)
async def test_bad_votes_name_the_field(
    edge: Edge, system: FakeSystem, body: dict[str, object], param: str
) -> None:
    reply = await edge.http.post("/v1/feedback", json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert not system.requests


async def test_interactions_are_listed_by_all_that_narrows_them(
    edge: Edge, system: FakeSystem
) -> None:
    query = {
        "conversation_id": "chat-1",
        "outcome": "abstained",
        "version": "extractive-1",
        "vote": "down",
        "search": "tea",
    }
    bounds = {"limit": "1", "since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00+01:00"}
    headers = {"gyre-actor": "ann"}
    first = (
        await edge.http.get("/v1/interactions", params={**query, **bounds}, headers=headers)
    ).json()
    assert [one["interaction_id"] for one in first["data"]] == [IDS[0]]
    assert first["has_more"]
    reply = await edge.http.get("/v1/interactions", params={"after": first["next"]})
    assert [one["interaction_id"] for one in reply.json()["data"]] == [IDS[1]]
    assert not reply.json()["has_more"]
    request = system.requests[0]
    assert {name: getattr(request, name) for name in query} == query
    assert (request.page_size, request.actor) == (1, "ann")
    assert request.until.ToSeconds() - request.since.ToSeconds() == 23 * 3600


async def test_an_answer_is_explained(edge: Edge) -> None:
    story = (await edge.http.get(f"/v1/interactions/{IDS[0]}")).json()
    assert story["versions"] == {"generator": "extractive-1"}
    assert story["retrieved"][0]["revision"] == 0
    missing = await edge.http.get("/v1/interactions/0")
    assert missing.status_code == 404


async def test_a_view_is_read_page_by_page(edge: Edge, system: FakeSystem) -> None:
    first = (await edge.http.get("/v1/series/cost", params={"limit": 1})).json()
    assert first["columns"] == [{"name": "day", "type": "Date", "description": ""}]
    assert first["data"] == [{"day": "first", "interactions": 2}]
    last = (await edge.http.get("/v1/series/cost", params={"after": first["next"]})).json()
    assert (last["data"][0]["day"], last["has_more"]) == ("more", False)
    wrong = await edge.http.get("/v1/series/nonsense")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "view")


async def test_parameters_that_cannot_be_are_named(edge: Edge, system: FakeSystem) -> None:
    for path in ("/v1/interactions", "/v1/series/cost"):
        for name, value in (
            ("since", "yesterday"),
            ("until", "9999-12-31T23:59:59-14:00"),
            ("limit", "0"),
            ("after", "x" * 5_000),
        ):
            reply = await edge.http.get(path, params={name: value})
            assert (reply.status_code, reply.json()["error"]["param"]) == (400, name)
        assert (await edge.http.get(path, params={"colour": "green"})).status_code == 200
    assert len(system.requests) == 2


async def test_dead_letters_are_counted_and_shown_whatever_they_hold(
    edge: Edge, system: FakeSystem
) -> None:
    topics = (await edge.http.get("/v1/dead-letters")).json()
    (topic,) = topics["data"]
    assert (topic["topic"], topic["count"]) == ("tea.v1.dlq", 2)
    about = "limit=3&cause=JSON&since=2026-01-05T00:00:00Z&decided=true"
    shown = (await edge.http.get(f"/v1/dead-letters/tea.v1?{about}")).json()
    (letter,) = shown["data"]
    assert (letter["key"], letter["key_encoding"]) == ("tea/né", "utf-8")
    assert (letter["value"], letter["value_encoding"]) == ("/yBub3QganNvbg==", "base64")
    assert (letter["offset"], letter["cause"]["kind"]) == (7, "poison")
    request = system.requests[-1]
    assert (request.topic, request.limit, request.decided) == ("tea.v1", 3, True)
    assert (request.filter.cause, request.filter.since.ToDatetime().day) == ("JSON", 5)


async def test_dead_letters_are_replayed_and_dropped_by_who_calls(
    edge: Edge, system: FakeSystem
) -> None:
    headers = {"gyre-actor": "ann"}
    replay = await edge.http.post(
        "/v1/dead-letters/tea.v1/replay", json={"offsets": [7]}, headers=headers
    )
    assert replay.json()["data"] == [{"offset": 7, "outcome": "replayed", "detail": ""}]
    request = system.requests[-1]
    assert (request.actor, list(request.offsets), request.HasField("filter")) == ("ann", [7], False)
    body = {"cause": "JSON", "tenant": "acme", "reason": "no use"}
    dropped = await edge.http.post("/v1/dead-letters/tea.v1/drop", json=body)
    assert dropped.json()["data"][0]["outcome"] == "already"
    request = system.requests[-1]
    assert (request.filter.cause, request.filter.tenant) == ("JSON", "acme")
    both = {"offsets": [7], "cause": "JSON", "reason": "no use"}  # which telemetry refuses
    await edge.http.post("/v1/dead-letters/tea.v1/drop", json=both)
    request = system.requests[-1]
    assert (list(request.offsets), request.filter.cause) == ([7], "JSON")
    away = await edge.http.post("/v1/dead-letters/tea.v1/replay", json={"cause": "then away"})
    message = "the topic is gone; decided before: 1, up to offset 0"
    assert (away.status_code, away.json()["error"]["message"]) == (409, message)
    missing = await edge.http.post("/v1/dead-letters/tea.v1/drop", json={"offsets": [7]})
    assert missing.json()["error"]["message"].startswith("reason is missing")
    typo = await edge.http.post("/v1/dead-letters/tea.v1/drop", json={"offset": [7]})
    assert "did you mean `offsets`?" in typo.json()["error"]["message"]


async def test_runs_and_data_sets_are_listed_and_shown(edge: Edge) -> None:
    runs = (await edge.http.get("/v1/runs")).json()
    assert [run["run_id"] for run in runs["data"]] == ["run-aa", "run-ab", "run-b"]
    assert (await edge.http.get("/v1/runs/run-aa")).json()["metrics"] == {"loss": 0.5}
    assert (await edge.http.get("/v1/runs/missing")).status_code == 404
    data_sets = (await edge.http.get("/v1/datasets")).json()
    assert data_sets["data"][0]["train_questions"] == 7


async def test_status_says_who_serves_and_who_does_not(system: FakeSystem) -> None:
    async with an_edge(system, away="judge") as edge:
        services = (await edge.http.get("/v1/status")).json()["services"]
    serving = {one["name"]: one["serving"] for one in services}
    assert serving.keys() == vars(Addresses()).keys()
    assert [name for name, serves in serving.items() if not serves] == ["judge"]
    assert services[0]["lag"] is None
    assert services[0]["problems"] == []
