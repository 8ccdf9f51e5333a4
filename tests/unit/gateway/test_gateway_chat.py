"""Chat completions: OpenAI's shape in, Gyre's answers out."""

import asyncio
import json
from typing import Any

import openai
import pytest
from gyre_common.errors import InvalidInput, TooManyCalls, Unavailable

from tests.eventually import eventually
from tests.unit.client.fake_system import IDS, PIECE, PIECES, FakeSystem
from tests.unit.gateway.edge import Edge, an_edge

QUESTION = [{"role": "user", "content": "How hot?"}]
PICTURE = {
    "role": "user",
    "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ],
}


async def ask(edge: Edge, **body: object) -> Any:
    return await edge.http.post(
        "/v1/chat/completions", json={"model": "gyre", "messages": QUESTION, **body}
    )


async def test_openais_client_gets_an_answer_with_its_sources(
    client: openai.AsyncOpenAI, system: FakeSystem
) -> None:
    reply = await client.chat.completions.create(
        model="gyre",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Tea?"},
            {"role": "assistant", "content": "Green."},
            {"role": "user", "content": [{"type": "text", "text": "How hot?"}]},
        ],
        user="ann",
        max_tokens=50,
        temperature=0.5,
    )
    assert reply.choices[0].message.content == "80 degrees."
    assert reply.choices[0].finish_reason == "stop"
    extra = reply.model_extra["gyre"]  # type: ignore[index]
    assert extra["interaction_id"] == IDS[0]
    assert extra["outcome"] == "answered"
    assert extra["citations"][0]["quote"] == "80 degrees is best"
    assert [passage["rank"] for passage in extra["passages"]] == [1, 2]
    request = system.requests[0]
    assert request.question == "How hot?"
    assert [(turn.role, turn.content) for turn in request.history] == [
        ("user", "Tea?"),
        ("assistant", "Green."),
    ]
    assert (request.actor, request.instructions) == ("ann", "Be brief.")
    assert (request.version, request.max_tokens, request.temperature) == ("", 50, 0.5)


async def test_a_stream_ends_with_sources_usage_and_done(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="gyre",
        messages=[{"role": "user", "content": "How hot?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "80 degrees."
    cited = chunks[-2].choices[0].delta.model_extra["annotations"][0]["url_citation"]  # type: ignore[index]
    assert (cited["url"], cited["end_index"]) == ("https://tea.example/tea", 11)
    assert chunks[0].model_extra["gyre"]["interaction_id"] == IDS[0]  # type: ignore[index]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].model_extra["gyre"]["citations"]  # type: ignore[index]
    assert chunks[-1].usage is not None


@pytest.mark.parametrize(
    ("question", "reason", "flag"),
    [
        ("long", "length", "reached_max_tokens"),
        ("filtered", "content_filter", "content_filtered"),
        ("again", "length", "repeated_itself"),
    ],
)
async def test_an_answer_that_was_cut_off_says_so(
    client: openai.AsyncOpenAI, question: str, reason: str, flag: str
) -> None:
    messages: Any = [{"role": "user", "content": question}]
    whole = await client.chat.completions.create(model="gyre", messages=messages)
    assert whole.choices[0].finish_reason == reason
    stream = await client.chat.completions.create(model="gyre", messages=messages, stream=True)
    last = [chunk async for chunk in stream][-1]
    assert last.choices[0].finish_reason == reason
    assert last.model_extra["gyre"][flag]  # type: ignore[index]


async def test_the_first_words_leave_before_the_last_are_known(
    edge: Edge, system: FakeSystem
) -> None:
    body = {"model": "gyre", "stream": True, "messages": [{"role": "user", "content": "slow"}]}
    async with edge.http.stream("POST", "/v1/chat/completions", json=body) as reply:
        lines = reply.aiter_lines()
        async for line in lines:
            if "degrees" in line:
                break
        assert not system.released.is_set()
        system.released.set()
        rest = [line async for line in lines if line]
    assert rest[-1] == "data: [DONE]"


async def test_a_caller_who_goes_away_ends_the_work_behind(edge: Edge, system: FakeSystem) -> None:
    body = {"model": "gyre", "stream": True, "messages": [{"role": "user", "content": "slow"}]}
    async with edge.http.stream("POST", "/v1/chat/completions", json=body) as reply:
        async for line in reply.aiter_lines():
            if "degrees" in line:
                break
    await eventually(system.cancelled.is_set)


async def test_a_caller_who_goes_away_before_the_answer_ends_the_work_too(
    edge: Edge, system: FakeSystem
) -> None:
    task = asyncio.create_task(ask(edge, messages=[{"role": "user", "content": "slow"}]))
    await eventually(lambda: len(system.requests) == 1)
    task.cancel()
    await eventually(system.cancelled.is_set)


async def test_a_reader_who_takes_nothing_is_not_written_ahead_of(
    edge: Edge, system: FakeSystem
) -> None:
    body = {"model": "gyre", "stream": True, "messages": [{"role": "user", "content": "huge"}]}
    counts: list[int] = []

    def stands_still() -> bool:
        counts.append(system.pieces_sent)
        return counts[-1] > 0 and counts[-3:] == [counts[-1]] * 3

    async with edge.http.stream("POST", "/v1/chat/completions", json=body) as reply:
        await eventually(stands_still, every=0.3)
        before = system.pieces_sent
        assert before < 0.1 * PIECES  # what sockets hold of 200 MB
        taken = 0
        async for part in reply.aiter_bytes():
            if (taken := taken + len(part)) > 2 * before * len(PIECE):
                break
    assert system.pieces_sent > before


async def test_a_long_stream_shows_that_it_lives(system: FakeSystem) -> None:
    body = {"model": "gyre", "stream": True, "messages": [{"role": "user", "content": "slow"}]}
    async with (
        an_edge(system, heartbeat_seconds=0.05) as edge,
        edge.http.stream("POST", "/v1/chat/completions", json=body) as reply,
    ):
        async for line in reply.aiter_lines():
            if line.startswith(":"):
                break
        else:
            pytest.fail("no heartbeat came")
        system.released.set()


async def test_a_conversation_keeps_its_id_from_turn_to_turn(
    edge: Edge, system: FakeSystem
) -> None:
    await ask(edge)
    later = [*QUESTION, {"role": "assistant", "content": "80."}, {"role": "user", "content": "F?"}]
    await ask(edge, messages=later)
    await ask(edge, messages=[{"role": "user", "content": "Another"}])
    await ask(edge, conversation_id="mine")
    first, second, other, own = (request.conversation_id for request in system.requests)
    assert first == second != other
    assert own == "mine"


async def test_what_cannot_be_honoured_is_named(edge: Edge, system: FakeSystem) -> None:
    history = [{"role": "user", "content": "x" * 9_000} for _ in range(3)]
    reply = await ask(edge, messages=[*history, *QUESTION], seed=7, top_p=0.5)
    assert reply.status_code == 200
    assert reply.json()["gyre"]["ignored"] == ["top_p", "messages (the oldest 2)"]
    assert (len(system.requests[0].history), system.requests[0].seed) == (1, 7)


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"model": None}, "model", "string"),
        ({"model": ""}, "model", "at least 1"),
        ({"model": "x" * 257}, "model", "at most 256"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": "How hot?"}, "messages", "list"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role", "'user'"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "is tool"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role", "of the user"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content", "is empty"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "is missing"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].type",
            "image_url: send text alone",
        ),
        ({"messages": [PICTURE, *QUESTION]}, "messages[0].content[1].type", "send text alone"),
        ({"n": 2}, "n", "one answer"),
        ({"n": 0}, "n", "one answer"),
        ({"functions": [{"name": "f"}]}, "functions", "leave it out"),
        ({"tools": [{"type": "function"}]}, "tools", "leave it out"),
        ({"tool_choice": "required"}, "tool_choice", "leave it out"),
        ({"response_format": {"type": "json_object"}}, "response_format", "is not text"),
        ({"logprobs": True}, "logprobs", "leave it out"),
        ({"modalities": ["audio"]}, "modalities", "text alone"),
        ({"temperature": 9}, "temperature", "less than or equal to 2"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"best_of": 3}, "best_of", "is not known here: leave it out"),
        ({"filters": {"owner": "x"}}, "filters.owner", "is not known here"),
        ({"temprature": 1}, "temprature", "did you mean `temperature`?"),
    ],
)
async def test_bad_requests_name_the_field_and_the_fix(
    edge: Edge, system: FakeSystem, body: dict[str, object], param: str, says: str
) -> None:
    reply = await ask(edge, **body)
    error = reply.json()["error"]
    assert reply.status_code == 400
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert says in error["message"]
    assert not system.requests


async def test_a_request_without_a_model_is_told_so(edge: Edge, system: FakeSystem) -> None:
    reply = await edge.http.post("/v1/chat/completions", json={"messages": QUESTION})
    assert (reply.status_code, reply.json()["error"]["message"]) == (
        400,
        "model is missing: send it",
    )
    assert not system.requests


async def test_what_only_says_the_default_is_no_reason_to_refuse(edge: Edge) -> None:
    defaults: dict[str, object] = {
        "n": 1,
        "tools": [],
        "tool_choice": "auto",
        "response_format": {"type": "text"},
        "logprobs": False,
        "modalities": ["text"],
    }
    assert (await ask(edge, **defaults)).status_code == 200


async def test_what_was_said_long_ago_and_is_a_megabyte_is_left_out(
    edge: Edge, system: FakeSystem
) -> None:
    long = {"role": "user", "content": "tea " * 262_144}
    reply = await ask(edge, messages=[long, *QUESTION])
    assert reply.json()["gyre"]["ignored"] == ["messages (the oldest 1)"]
    assert not system.requests[0].history


@pytest.mark.parametrize("stream", [False, True])
async def test_markup_in_names_and_questions_comes_back_as_data(edge: Edge, stream: bool) -> None:
    markup = "<script>alert(1)</script>"
    cases: tuple[tuple[dict[str, Any], int], ...] = (
        ({"messages": [{"role": "user", "content": markup}]}, 200),
        ({"model": markup}, 404),
        ({markup: 1}, 400),
        ({"messages": [{"role": markup, "content": "x"}]}, 400),
    )
    for body, status in cases:
        reply = await ask(edge, stream=stream, **body)
        kind = reply.headers["content-type"].partition(";")[0]
        assert (reply.status_code, reply.headers["x-content-type-options"]) == (status, "nosniff")
        assert kind == ("text/event-stream" if stream and status == 200 else "application/json")
        assert "script-src 'self';" in reply.headers["content-security-policy"]


async def test_a_body_that_is_no_json_is_named(edge: Edge) -> None:
    json_type = {"content-type": "application/json"}
    reply = await edge.http.post("/v1/chat/completions", content=b"{", headers=json_type)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "body")
    reply = await edge.http.post("/v1/chat/completions", content=b"How hot?")
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "body")


async def test_an_unknown_parameter_is_no_500(edge: Edge) -> None:
    for surprise in ("[]", '"text"', "null", "7", '{"model":{"a":1},"messages":{}}', '"\\ud800"'):
        reply = await edge.http.post(
            "/v1/chat/completions",
            content=surprise,
            headers={"content-type": "application/json"},
        )
        assert reply.status_code == 400, surprise


async def test_what_the_generator_refuses_keeps_its_words(edge: Edge, system: FakeSystem) -> None:
    for stream in (False, True):
        system.failures.append(InvalidInput("history", "has 30 turns", "send the last 20"))
        reply = await ask(edge, stream=stream)
        assert reply.status_code == 400
        assert reply.json()["error"]["param"] == "messages"
        assert reply.json()["error"]["message"] == "messages has 30 turns: send the last 20"


async def test_a_model_that_is_not_there_is_refused_as_openai_does(
    edge: Edge, system: FakeSystem
) -> None:
    for stream in (False, True):
        reply = await ask(edge, stream=stream, model="gpt-9")
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")
        assert "gpt-9 is not there: use gyre" in reply.json()["error"]["message"]
    reply = await ask(edge, model="minilm-1")  # it is, and answers nothing
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "model")


async def test_a_refusal_of_the_live_model_needs_no_list_of_models(system: FakeSystem) -> None:
    system.failures.append(InvalidInput("question", "is too long", "ask shorter"))
    async with an_edge(system, away="releases") as edge:
        reply = await ask(edge)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "messages")


async def test_what_is_away_says_when_to_come_back(edge: Edge, system: FakeSystem) -> None:
    system.failures += [Unavailable("Kafka is away", retry_after_seconds=0.01)] * 10
    for stream in (False, True):
        reply = await ask(edge, stream=stream)
        assert reply.status_code == 503
        assert int(reply.headers["retry-after"]) >= 1
        assert "Kafka is away" in reply.json()["error"]["message"]


async def test_a_caller_with_too_much_under_way_is_asked_to_wait(
    edge: Edge, system: FakeSystem
) -> None:
    system.failures += [TooManyCalls("500 calls of this caller", retry_after_seconds=0.01)] * 10
    reply = await ask(edge)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "1")
    assert reply.json()["error"]["type"] == "rate_limit_error"


async def test_a_stream_that_breaks_off_ends_with_an_error(edge: Edge) -> None:
    reply = await ask(edge, stream=True, messages=[{"role": "user", "content": "broken"}])
    last = [line for line in reply.text.splitlines() if line.startswith("data: ")][-1]
    assert "broke off" in json.loads(last.removeprefix("data: "))["error"]["message"]
