"""Responses: the other of OpenAI's shapes, over the same answers."""

import json
from typing import Any

import openai
import pytest
from gyre_common.errors import InvalidInput, Unavailable

from tests.eventually import eventually
from tests.unit.client.fake_system import IDS, FakeSystem
from tests.unit.gateway.edge import Edge


async def respond(edge: Edge, **body: object) -> Any:
    return await edge.http.post("/v1/responses", json={"model": "gyre", "input": "x", **body})


async def test_openais_client_gets_a_response_with_its_sources(
    client: openai.AsyncOpenAI, system: FakeSystem
) -> None:
    response = await client.responses.create(
        model="gyre", input="How hot?", instructions="Be brief.", max_output_tokens=50, user="ann"
    )
    assert response.output_text == "80 degrees."
    assert response.status == "completed"
    part: Any = response.output[0].content[0]  # type: ignore[union-attr, index]
    assert part.annotations[0].url == "https://tea.example/tea"
    extra = response.model_extra["gyre"]  # type: ignore[index]
    assert (extra["interaction_id"], extra["outcome"]) == (IDS[0], "answered")
    request = system.requests[0]
    assert (request.question, request.instructions) == ("How hot?", "Be brief.")
    assert (request.max_tokens, request.actor) == (50, "ann")


async def test_what_was_said_so_far_goes_in_as_it_came_out(
    client: openai.AsyncOpenAI, system: FakeSystem
) -> None:
    question: Any = {"role": "user", "content": "How hot?"}
    first = await client.responses.create(model="gyre", input=[question])
    output: Any = [item.model_dump() for item in first.output]
    follow_up: Any = {"role": "user", "content": [{"type": "input_text", "text": "In F?"}]}
    await client.responses.create(model="gyre", input=[question, *output, follow_up])
    assert [(turn.role, turn.content) for turn in system.requests[1].history] == [
        ("user", "How hot?"),
        ("assistant", "80 degrees."),
    ]
    assert len({request.conversation_id for request in system.requests}) == 1


async def test_a_stream_has_the_events_of_one_message(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(model="gyre", input="How hot?", stream=True)
    events = [event async for event in stream]
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(11))
    completed: Any = events[-1]
    assert completed.response.output_text == "80 degrees."
    assert completed.response.model_extra["gyre"]["citations"]


async def test_a_response_that_reached_its_length_is_incomplete(
    client: openai.AsyncOpenAI,
) -> None:
    whole = await client.responses.create(model="gyre", input="long")
    stream = await client.responses.create(model="gyre", input="long", stream=True)
    last = [event async for event in stream][-1]
    assert last.type == "response.incomplete"
    for response in (whole, last.response):
        assert response.status == "incomplete"
        assert response.incomplete_details
        assert response.incomplete_details.reason == "max_output_tokens"
        assert response.output[0].status == "incomplete"  # type: ignore[union-attr]
        assert response.output_text == "80 degrees."


async def test_openais_own_helper_follows_the_stream(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model="gyre", input="How hot?") as stream:
        response = await stream.get_final_response()
    assert response.output_text == "80 degrees."


async def test_a_stream_that_breaks_off_has_failed(edge: Edge) -> None:
    reply = await respond(edge, stream=True, input="broken")
    last = [line for line in reply.text.splitlines() if line.startswith("data: ")][-1]
    event = json.loads(last.removeprefix("data: "))
    assert (event["type"], event["response"]["status"]) == ("response.failed", "failed")
    assert "broke off" in event["response"]["error"]["message"]


async def test_a_reader_who_goes_away_ends_the_work(edge: Edge, system: FakeSystem) -> None:
    body = {"model": "gyre", "input": "slow", "stream": True}
    async with edge.http.stream("POST", "/v1/responses", json=body) as reply:
        async for line in reply.aiter_lines():
            if "degrees" in line:
                break
    await eventually(system.cancelled.is_set)


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"input": None}, "input", "list"),
        ({"input": []}, "input", "at least 1"),
        ({"input": " "}, "input[0].content", "is empty"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", "'message'"),
        ({"input": [{"role": "assistant", "content": "x"}]}, "input[0].role", "of the user"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input[0].content[0].type",
            "input_image: send text alone",
        ),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "is not kept here"),
        ({"conversation": "conv_1"}, "conversation", "is not kept here"),
        ({"background": True}, "background", "is not known"),
        ({"tools": [{"type": "web_search"}]}, "tools", "leave it out"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format", "is not text"),
        ({"text": {"format": "text"}}, "text.format", "is not text"),
        ({"max_output_tokens": 2**31}, "max_output_tokens", "less than"),
        ({"messages": []}, "messages", "is not known here"),
    ],
)
async def test_bad_requests_name_the_field_and_the_fix(
    edge: Edge, system: FakeSystem, body: dict[str, object], param: str, says: str
) -> None:
    reply = await respond(edge, **body)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"]) == (400, param)
    assert says in error["message"]
    assert not system.requests


async def test_what_cannot_be_honoured_is_named(edge: Edge) -> None:
    reply = await respond(edge, reasoning={"effort": "low"}, include=[], store=True, top_p=0.5)
    assert reply.json()["gyre"]["ignored"] == ["reasoning", "top_p"]


async def test_what_the_generator_refuses_is_named_by_the_request(
    edge: Edge, system: FakeSystem
) -> None:
    for stream in (False, True):
        system.failures.append(InvalidInput("question", "is too long", "ask shorter"))
        reply = await respond(edge, stream=stream)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "input")
        reply = await respond(edge, stream=stream, model="gpt-9")
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")
        system.failures.append(Unavailable("Kafka is away", retry_after_seconds=200))
        assert (await respond(edge, stream=stream)).status_code == 503
