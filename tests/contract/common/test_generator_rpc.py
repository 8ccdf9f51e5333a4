"""What callers of the generator see, over a real channel; the model behind it is a mock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from gyre.generator.v1 import generator_pb2 as pb
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre_common.context import use_versions
from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.rpc import call, channel, serve, stream
from gyre_generator.backends import Backend
from gyre_generator.backends.openai.client import ChatClient
from gyre_generator.backends.openai.usage import ServedModel
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.prompts import Prompts
from gyre_generator.service import Answerer

from tests.fakes.bus import MemoryBus
from tests.fakes.model_server import DONE, EVENTS, Write, delta_event, model_server, once
from tests.unit.generator.conftest import (
    COFFEE,
    TEA,
    FakeRetriever,
    a_passage,
    built_in_releases,
    rpc_of,
    steps_of,
)

QUESTION = "How hot should the water for green tea be?"


@asynccontextmanager
async def generator(backend: Backend | None = None) -> AsyncIterator[GeneratorServiceStub]:
    releases, retriever = built_in_releases(), FakeRetriever([a_passage()])
    steps = steps_of(retriever.search, releases, backend)
    answerer = Answerer(steps, MemoryBus(service="generator"), releases)
    async with (
        answerer,
        serve([rpc_of(answerer, steps, releases)]) as server,
        channel(f"127.0.0.1:{server.port}") as connection,
    ):
        yield GeneratorServiceStub(connection)


@asynccontextmanager
async def chat_generator(url: str) -> AsyncIterator[GeneratorServiceStub]:
    async with (
        ChatClient(ServedModel(url=url, model="tiny")) as client,
        generator(PromptedModel(client, Prompts())) as stub,
    ):
        yield stub


async def test_the_first_sentence_leaves_while_the_model_still_writes() -> None:
    go_on = asyncio.Event()

    async def slow(write: Write, nth: int) -> None:
        await write(EVENTS + delta_event("Use 80 degrees [1]. Steep"))
        await go_on.wait()
        await write(delta_event(" it [1].", finish="stop") + DONE)

    request = pb.AnswerRequest(question=QUESTION)
    async with (
        model_server(slow) as server,
        chat_generator(server.url) as stub,
        aclosing(stream(stub.StreamAnswer, request, timeout=10)) as replies,
    ):
        assert (await anext(replies)).HasField("started")
        assert (await anext(replies)).delta.text == "Use 80 degrees."
        go_on.set()
        *rest, last = [reply async for reply in replies]

    assert [reply.delta.text for reply in rest] == [" Steep it."]
    assert last.finished.answer == "Use 80 degrees. Steep it."


async def test_a_model_honours_all_wishes() -> None:
    request = pb.AnswerRequest(
        question=QUESTION, instructions=" Be brief. ", max_tokens=9, temperature=0.0, seed=-1
    )
    behave = once(EVENTS, delta_event("80 degrees [1].", finish="stop"))
    async with model_server(behave) as server, chat_generator(server.url) as stub:
        reply = await call(stub.Answer, request, timeout=10)

    assert list(reply.ignored) == []
    [sent] = server.requests
    assert sent["messages"][0]["content"].endswith(":\nBe brief.")
    assert (sent["max_tokens"], sent["temperature"], sent["seed"]) == (9, 0.0, 2**63 - 1)


LOOP = "About 80 degrees. " * 40


@pytest.mark.parametrize(
    ("text", "reason", "flag"),
    [
        ("About 80 degrees [1].", "length", "reached_max_tokens"),
        ("About 80 degrees [1].", "content_filter", "content_filtered"),
        (LOOP, "stop", "repeated_itself"),
        ("About 80 degrees [1].", "stop", ""),
    ],
)
async def test_the_reply_says_what_ended_the_answer(text: str, reason: str, flag: str) -> None:
    behave = once(EVENTS, delta_event(text, finish=reason), DONE)
    request = pb.AnswerRequest(question=QUESTION)
    async with model_server(behave) as server, chat_generator(server.url) as stub:
        whole = await call(stub.Answer, request, timeout=10)
        async with aclosing(stream(stub.StreamAnswer, request, timeout=10)) as replies:
            last = [reply async for reply in replies][-1]

    for reply in (whole, last.finished):
        flags = ("reached_max_tokens", "content_filtered", "repeated_itself")
        assert [name for name in flags if getattr(reply, name)] == ([flag] if flag else [])


async def test_the_reply_names_the_wishes_that_were_ignored() -> None:
    async with generator() as stub:
        plain = await call(stub.Answer, pb.AnswerRequest(question=QUESTION), timeout=10)
        request = pb.AnswerRequest(
            question=QUESTION, instructions="Rhyme.", max_tokens=9, temperature=0.0
        )
        answered = await call(stub.Answer, request, timeout=10)

    assert list(plain.ignored) == []
    assert list(answered.ignored) == ["instructions", "max_tokens", "temperature"]
    assert answered.answer == plain.answer


async def test_an_unknown_version_is_refused_before_the_stream_starts() -> None:
    request = pb.AnswerRequest(question=QUESTION, version="gpt-4o")
    async with generator() as stub:
        with pytest.raises(InvalidInput, match="extractive-1") as refused:
            await anext(stream(stub.StreamAnswer, request, timeout=10))

    assert refused.value.field == "version"


async def test_a_version_is_tried_and_an_unknown_one_refused() -> None:
    async with generator() as stub:
        await call(stub.TryVersion, pb.TryVersionRequest(version="extractive-1"), timeout=10)
        with pytest.raises(InvalidInput, match="role is 'judge': use generator"):
            await call(stub.TryVersion, pb.TryVersionRequest(version="x", role="judge"), timeout=10)
        with pytest.raises(FailedPrecondition, match="no version other"):
            await call(stub.TryVersion, pb.TryVersionRequest(version="other"), timeout=10)


def given(*texts: str) -> list[pb.Passage]:
    return [
        pb.Passage(chunk_id=str(a_passage(text).chunk_id), document_id="tea.md", text=text)
        for text in texts
    ]


async def test_an_answer_from_given_passages_searches_for_nothing_and_is_not_recorded() -> None:
    bus, releases, retriever = MemoryBus(service="generator"), built_in_releases(), FakeRetriever()
    steps = steps_of(retriever.search, releases)
    answerer = Answerer(steps, bus, releases)
    async with (
        serve([rpc_of(answerer, steps, releases)]) as server,
        channel(f"127.0.0.1:{server.port}") as connection,
    ):
        request = pb.AnswerFromRequest(question=QUESTION, passages=given(TEA))
        reply = await call(GeneratorServiceStub(connection).AnswerFrom, request, timeout=10)

    assert "80 degrees" in reply.answer
    assert reply.citations[0].quote in TEA
    assert (reply.interaction_id, reply.outcome) == ("", pb.OUTCOME_ANSWERED)
    assert (retriever.queries, bus.published) == ([], [])


async def test_a_version_that_the_call_names_answers_from_given_passages() -> None:
    request = pb.AnswerFromRequest(question=QUESTION, passages=given(TEA))
    async with generator() as stub:
        with (
            use_versions({"generator": "other"}),
            pytest.raises(FailedPrecondition, match="no version other"),
        ):
            await call(stub.AnswerFrom, request, timeout=10)


async def test_a_prompt_is_rendered_with_the_passages_that_fit() -> None:
    request = pb.RenderPromptRequest(
        question=QUESTION,
        history=[pb.Turn(role="user", content="Hello.")],
        passages=given(TEA, f"Never read. {COFFEE * 4}"),
        context_tokens=100,
    )
    async with generator() as stub:
        reply = await call(stub.RenderPrompt, request, timeout=10)
        with (
            use_versions({"prompt/answer": "other"}),
            pytest.raises(FailedPrecondition, match="no version other"),
        ):
            await call(stub.RenderPrompt, request, timeout=10)

    assert TEA in reply.user
    assert QUESTION in reply.user
    assert "Hello." in reply.user
    assert "Never read." not in reply.user
    assert reply.prompt_version == "answer-2"
    assert 0 < reply.confidence <= 1


@pytest.mark.parametrize(
    ("passage", "field"),
    [
        (pb.Passage(chunk_id="no uuid", document_id="tea.md", text=TEA), "passages.0.chunk_id"),
        (pb.Passage(chunk_id=str(a_passage().chunk_id), text=TEA), "passages.0.document_id"),
        (pb.Passage(chunk_id=str(a_passage().chunk_id), document_id="a"), "passages.0.text"),
    ],
)
async def test_a_passage_that_lacks_something_is_named(passage: pb.Passage, field: str) -> None:
    requests = (
        ("AnswerFrom", pb.AnswerFromRequest(question=QUESTION, passages=[passage])),
        ("RenderPrompt", pb.RenderPromptRequest(passages=[passage], context_tokens=100)),
    )
    async with generator() as stub:
        for name, request in requests:
            with pytest.raises(InvalidInput) as refused:
                await call(getattr(stub, name), request, timeout=10)
            assert refused.value.field == field


async def test_a_request_out_of_bounds_is_refused() -> None:
    async with generator() as stub:
        many = pb.AnswerFromRequest(question=QUESTION, passages=given(TEA) * 101)
        with pytest.raises(InvalidInput, match="at most 100"):
            await call(stub.AnswerFrom, many, timeout=10)
        large = pb.AnswerFromRequest(question=QUESTION, passages=given("x" * 6_000) * 100)
        with pytest.raises(InvalidInput, match="passages have 600,000 characters"):
            await call(stub.AnswerFrom, large, timeout=10)
        few = pb.RenderPromptRequest(question=QUESTION, passages=given(TEA))
        with pytest.raises(InvalidInput, match="context_tokens"):
            await call(stub.RenderPrompt, few, timeout=10)
