"""An answer is grounded, explained, and counts only once it is recorded."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from gyre.retriever.v1.retriever_pb2 import Filters
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import FailedPrecondition, InvalidInput, Unavailable
from gyre_common.events.interactions import InteractionCompleted, Outcome, Turn
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView, Resolved
from gyre_common.releases.fitting import FITTED_ROLES
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Claim, Examples, Piece
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import Prompt
from gyre_generator.service import Answerer, AnswerFinished, AnswerStarted
from gyre_generator.steps.generate import NO_ANSWER

from tests.builders import a_release, an_artifact
from tests.fakes.bus import MemoryBus

ASK = Ask("How hot should the water for green tea be?")
MakeAnswerer = Callable[..., Answerer]


class ScriptedBackend:
    """Says what it was told to say; an exception among the pieces is raised."""

    ignores = ()

    def __init__(self, *pieces: Piece | Exception) -> None:
        self._pieces = pieces
        self.received: list[Ask] = []

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        self.received.append(ask)
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


class StuckBackend:
    """Writes a sentence and half of another one, then nothing."""

    ignores = ()

    def __init__(self) -> None:
        self.stuck = asyncio.Event()
        self.closed = False

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        try:
            yield "Boil it. Water should"
            self.stuck.set()
            await asyncio.Event().wait()
        finally:
            self.closed = True


def recorded(bus: MemoryBus) -> InteractionCompleted:
    [(_, event)] = bus.published
    assert isinstance(event, InteractionCompleted)
    return event


async def collect(
    answerer: Answerer, ask: Ask = ASK, *, into: list[Any] | None = None
) -> list[Any]:
    """What a stream says; `into` has it also where the stream fails."""
    pieces = [] if into is None else into
    async for piece in answerer.stream(ask):
        pieces.append(piece)
    return pieces


async def test_an_answer_quotes_the_passage_and_is_recorded(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    finished = await make_answerer().answer(ASK)

    event = recorded(bus)
    assert finished.interaction.interaction_id == event.interaction_id
    assert event.outcome is Outcome.ANSWERED
    assert "80 degrees" in event.answer
    texts = {chunk.chunk_id: chunk.text for chunk in event.retrieved}
    assert event.citations
    for cited in event.citations:
        quote = texts[cited.chunk_id][cited.chunk_start : cited.chunk_end]
        assert event.answer[cited.start : cited.end] == quote


async def test_personal_data_is_answered_and_not_recorded(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any, passage: Any, masking: None
) -> None:
    text = "Ann's desk is in Bern. Ask ann@example.com how hot the water for green tea should be."
    retriever.passages = [passage(text)]
    question = "Whom do I ask how hot the water for green tea should be? I am bo@example.com"

    finished = await make_answerer().answer(Ask(question))

    assert retriever.queries == [question]
    assert "ann@example.com" in finished.interaction.answer
    event = recorded(bus)
    assert "@example.com" not in repr(event)
    assert "[EMAIL_ADDRESS]" in event.answer
    [cited] = event.citations
    quote = event.retrieved[0].text[cited.chunk_start : cited.chunk_end]
    assert event.answer[cited.start : cited.end] == quote


async def test_the_record_explains_the_answer(make_answerer: MakeAnswerer, bus: MemoryBus) -> None:
    finished = await make_answerer().answer(ASK)

    event = recorded(bus)
    used = {Roles.GENERATOR: "extractive-1", Roles.RETRIEVAL: "hybrid-1"}
    assert event.versions.items() >= used.items()
    assert {g.name: g.passed for g in event.guardrails} == {
        "answerable": True,
        "cited_passages": True,
        "grounding": True,
    }
    assert [c.used for c in event.retrieved] == [True, True]
    steps = {"route", "retrieve", "pack", "generate", "ground", "cite"}
    stages = steps | {"encode", "search", "total"}
    assert set(event.latency_ms) == stages
    assert set(finished.interaction.latency_ms) == stages | {"record"}


async def test_a_stream_starts_says_and_finishes_in_that_order(make_answerer: MakeAnswerer) -> None:
    first, *deltas, last = await collect(make_answerer())

    assert isinstance(first, AnswerStarted)
    assert isinstance(last, AnswerFinished)
    assert first.interaction_id == str(last.interaction.interaction_id)
    assert "".join(deltas) == last.interaction.answer


async def test_passages_that_do_not_answer_make_it_abstain(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    await make_answerer().answer(Ask("Who won the football world cup in Mexico?"))

    event = recorded(bus)
    assert event.outcome is Outcome.ABSTAINED
    assert event.answer == NO_ANSWER
    assert event.citations == ()


async def test_without_passages_nobody_is_asked_to_write(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any
) -> None:
    retriever.passages = ()
    backend = ScriptedBackend()

    await make_answerer(backend).answer(ASK)

    assert recorded(bus).outcome is Outcome.ABSTAINED
    assert backend.received == []


async def test_kafka_down_refuses_before_anything_is_said(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "healthy", lambda: False)

    with pytest.raises(Unavailable, match="Kafka"):
        await collect(make_answerer())

    assert retriever.queries == []


async def test_a_stream_that_cannot_be_recorded_never_finishes(
    make_answerer: MakeAnswerer, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "healthy", lambda: True)
    bus.down = True
    received: list[Any] = []

    with pytest.raises(Unavailable):
        await collect(make_answerer(), into=received)

    assert any(isinstance(piece, str) for piece in received)
    assert not any(isinstance(piece, AnswerFinished) for piece in received)


async def test_a_retriever_that_is_down_is_recorded_as_an_error(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any
) -> None:
    retriever.error = Unavailable("the retriever cannot be reached")

    with pytest.raises(Unavailable, match="retriever"):
        await make_answerer().answer(ASK)

    event = recorded(bus)
    assert (event.outcome, event.error) == (Outcome.ERROR, "the retriever cannot be reached")


async def test_a_back_end_that_fails_half_way_keeps_what_was_said(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    backend = ScriptedBackend("Boil it. Water", Unavailable("the model hung up"))

    with pytest.raises(Unavailable, match="hung up"):
        await make_answerer(backend).answer(ASK)

    event = recorded(bus)
    assert (event.outcome, event.answer) == (Outcome.ERROR, "Boil it.")
    assert event.latency_ms.keys() >= {"retrieve", "pack", "generate", "total"}


async def test_a_bug_is_recorded_too(make_answerer: MakeAnswerer, bus: MemoryBus) -> None:
    with pytest.raises(ZeroDivisionError):
        await make_answerer(ScriptedBackend(ZeroDivisionError())).answer(ASK)

    assert recorded(bus).outcome is Outcome.ERROR


async def test_a_caller_that_hangs_up_is_recorded_as_cancelled(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    backend = StuckBackend()
    async with make_answerer(backend) as answerer, aclosing(answerer.stream(ASK)) as pieces:
        async for piece in pieces:
            if isinstance(piece, str):
                break

    event = recorded(bus)
    assert (event.outcome, event.answer) == (Outcome.CANCELLED, "Boil it.")
    assert backend.closed


async def test_a_cancelled_call_is_recorded_as_cancelled(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    backend = StuckBackend()
    async with make_answerer(backend) as answerer:
        call = asyncio.create_task(answerer.answer(ASK))
        await backend.stuck.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    assert recorded(bus).outcome is Outcome.CANCELLED
    assert backend.closed


async def test_a_retry_with_the_same_key_is_the_same_interaction(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    answerer = make_answerer()
    keyed = Ask(ASK.question, idempotency_key="try-1")

    first, again, other = [
        (await answerer.answer(ask)).interaction.interaction_id for ask in (keyed, keyed, ASK)
    ]

    assert first == again != other
    ids = [dict(record.headers)["ce_id"] for record in bus.sent]
    assert ids[0] == ids[1] != ids[2]


async def test_another_actor_may_use_the_same_key(make_answerer: MakeAnswerer) -> None:
    answerer = make_answerer()
    by_ann, by_eve = [
        (await answerer.answer(replace(ASK, idempotency_key="1", actor=actor))).interaction
        for actor in ("ann", "eve")
    ]
    assert by_ann.interaction_id != by_eve.interaction_id


async def test_a_key_that_came_with_another_question_is_refused(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    answerer = make_answerer()
    keyed = Ask(ASK.question, idempotency_key="try-1")
    first = (await answerer.answer(keyed)).interaction.interaction_id
    for other in (replace(keyed, question="And coffee?"), replace(keyed, seed=7)):
        with pytest.raises(InvalidInput, match="idempotency_key was sent before"):
            await answerer.answer(other)
        # Another process has not seen the first: it is no retry of that all the same.
        assert (await make_answerer().answer(other)).interaction.interaction_id != first
    assert (await answerer.answer(keyed)).interaction.interaction_id == first
    assert len(bus.sent) == 4


async def test_a_key_of_one_tenant_says_nothing_about_another(
    make_answerer: MakeAnswerer,
) -> None:
    answerer = make_answerer()
    ids = set()
    for tenant in ("acme", "zoo"):
        with use_context(RequestContext(tenant=tenant)):
            finished = await answerer.answer(Ask(ASK.question, idempotency_key="1"))
            ids.add(finished.interaction.interaction_id)

    assert len(ids) == 2


async def test_the_retriever_is_asked_for_the_resolved_versions(
    make_answerer: MakeAnswerer, retriever: Any
) -> None:
    await make_answerer().answer(ASK)

    [versions] = retriever.versions
    assert versions[Roles.RETRIEVAL] == "hybrid-1"


async def test_versions_that_came_with_the_request_are_obeyed(
    make_answerer: MakeAnswerer, retriever: Any
) -> None:
    with use_context(RequestContext(versions={Roles.RETRIEVAL: "hybrid-7"})):
        await make_answerer().answer(ASK)

    assert retriever.versions[0][Roles.RETRIEVAL] == "hybrid-7"


async def test_only_callers_who_name_no_versions_see_explored_passages(
    make_answerer: MakeAnswerer, retriever: Any
) -> None:
    await make_answerer().answer(ASK)
    with use_context(RequestContext(versions={Roles.RETRIEVAL: "hybrid-1"})):
        await make_answerer().answer(ASK)

    assert retriever.explored == [True, False]


async def test_who_asked_and_who_may_read_what_was_found_are_recorded(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any, passage: Any
) -> None:
    retriever.passages = [passage("Tea is hot.", acl=("staff",)), passage("Tea.", rank=2, acl=())]

    await make_answerer().answer(replace(ASK, actor="ann"))

    event = recorded(bus)
    assert event.actor == "ann"
    assert [chunk.acl for chunk in event.retrieved] == [("staff",), ()]


@pytest.mark.parametrize("actor", ["two\nlines", "x" * 257])
async def test_a_name_that_is_no_line_is_refused(make_answerer: MakeAnswerer, actor: str) -> None:
    with pytest.raises(InvalidInput, match="actor has"):
        await make_answerer().answer(replace(ASK, actor=actor))


async def test_an_explored_passage_is_recorded_but_nothing_is_answered_from_it(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any, passage: Any
) -> None:
    text = "Water for green tea should be about 80 degrees Celsius."
    retriever.passages = [
        passage("Coffee is a drink made from roasted beans."),
        passage(text, rank=2, explored=True, propensity=0.02),
        passage("Tea is a drink made from leaves.", rank=3, propensity=0.95),
    ]

    await make_answerer().answer(ASK)

    event = recorded(bus)
    assert text not in event.answer
    assert [(c.explored, c.propensity, c.used) for c in event.retrieved] == [
        (False, 1.0, True),
        (True, 0.02, False),
        (False, 0.95, True),
    ]


async def test_a_version_the_retriever_lacks_falls_back_to_live_and_says_so(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any
) -> None:
    retriever.lacks = "hybrid-1"

    await make_answerer().answer(ASK)

    assert set(retriever.versions[1]).isdisjoint(FITTED_ROLES)
    event = recorded(bus)
    assert event.outcome is Outcome.ANSWERED
    assert "no version hybrid-1" in event.fallbacks[0]


async def test_an_unknown_generator_version_is_a_failed_precondition(
    make_answerer: MakeAnswerer,
) -> None:
    with (
        use_context(RequestContext(versions={Roles.GENERATOR: "from-the-future"})),
        pytest.raises(FailedPrecondition, match="from-the-future"),
    ):
        await make_answerer().answer(ASK)


@pytest.fixture
def two_versions(releases: ReleaseView) -> tuple[str, str]:
    """The live one, and one that is registered."""
    artifacts = tuple(an_artifact(v, settings={"backend": "extractive"}) for v in ("r-1", "r-2"))
    releases.apply(a_release(Roles.GENERATOR, live="r-1", artifacts=artifacts, generation=2))
    return "r-1", "r-2"


async def test_a_version_that_the_question_names_answers_it(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any, two_versions: tuple[str, str]
) -> None:
    live, other = two_versions
    for name in ("", "gyre", live, other):
        await make_answerer().answer(replace(ASK, version=name))

    events = [event for _, event in bus.published if isinstance(event, InteractionCompleted)]
    assert [event.versions[Roles.GENERATOR] for event in events] == [live, live, live, other]
    assert [versions[Roles.GENERATOR] for versions in retriever.versions][-1] == other
    assert retriever.explored == [True, True, False, False]


async def test_a_version_that_the_question_names_is_in_no_experiment(
    make_answerer: MakeAnswerer, bus: MemoryBus, two_versions: tuple[str, str]
) -> None:
    drawn = Resolved({Roles.GENERATOR: "r-1"}, {Roles.GENERATOR: "live"})
    with use_context(RequestContext(versions=drawn.versions, arms=drawn.arms)):
        await make_answerer().answer(replace(ASK, version="r-2"))

    event = recorded(bus)
    assert (event.versions[Roles.GENERATOR], event.arms) == ("r-2", {})


async def test_an_unknown_version_is_refused_with_those_there_are(
    make_answerer: MakeAnswerer, releases: ReleaseView, two_versions: tuple[str, str]
) -> None:
    zoo = an_artifact("zoo-1", settings={"backend": "extractive"})
    releases.apply(a_release(Roles.GENERATOR, tenant="zoo", live="zoo-1", artifacts=(zoo,)))

    with pytest.raises(InvalidInput, match=r"use gyre .*, or one of r-1, r-2$"):
        await make_answerer().answer(replace(ASK, version="zoo-1"))
    with use_context(RequestContext(tenant="zoo")):
        await make_answerer().answer(replace(ASK, version="zoo-1"))


async def test_a_version_whose_back_end_is_not_here_is_a_failed_precondition(
    make_answerer: MakeAnswerer, releases: ReleaseView
) -> None:
    chat = an_artifact("chat-1", settings={"backend": "openai"})
    releases.apply(
        a_release(Roles.GENERATOR, live="chat-1", artifacts=(chat,), generation=2, tenant="acme")
    )
    with (
        use_context(RequestContext(tenant="acme")),
        pytest.raises(FailedPrecondition, match="set GYRE_LLM_URL"),
    ):
        await make_answerer().answer(replace(ASK, version="chat-1"))


async def test_wishes_that_the_reader_cannot_honour_are_named_and_recorded(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    wishes = replace(ASK, instructions="Rhyme.", temperature=0.0, version="extractive-1")

    finished = await make_answerer().answer(wishes)

    assert finished.ignored == ("instructions", "temperature")
    assert recorded(bus).fallbacks == ("generator: extractive-1 ignores instructions, temperature",)
    assert (await make_answerer().answer(ASK)).ignored == ()


async def test_a_follow_up_takes_the_turn_before_along(
    make_answerer: MakeAnswerer, retriever: Any
) -> None:
    history = (Turn(role="user", content="What is green tea?"), Turn(role="assistant", content="…"))

    await make_answerer().answer(Ask("How is it made?", history=history))
    await make_answerer().answer(Ask("Where was coffee first drunk?", history=history))

    assert retriever.queries == [
        "What is green tea?\nHow is it made?",
        "Where was coffee first drunk?",
    ]


async def test_the_record_says_what_was_searched_for_where_that_is_not_the_question(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    history = (Turn(role="user", content="What is green tea?"),)
    for question in ("How is it made?", "Where was coffee first drunk?"):
        await make_answerer().answer(Ask(question, history=history))

    events = [event for _, event in bus.published if isinstance(event, InteractionCompleted)]
    assert [(event.question, event.query) for event in events] == [
        ("How is it made?", "What is green tea?\nHow is it made?"),
        ("Where was coffee first drunk?", ""),
    ]


@pytest.mark.parametrize(
    "filters",
    [
        Filters(document_ids=["tea.md"]),
        Filters(metadata={"lang": "en"}),
        Filters(media_types=["text/plain"]),
    ],
)
async def test_the_record_says_that_filters_bounded_the_search(
    make_answerer: MakeAnswerer, bus: MemoryBus, filters: Filters
) -> None:
    await make_answerer().answer(replace(ASK, filters=filters))
    assert recorded(bus).filtered


async def test_a_citation_that_only_the_models_word_speaks_for_is_named(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    text = "Use water of 80 degrees Celsius. The moon is cheese."
    draft = AnswerDraft(text, (Claim(0, 32, 1, quote=(0, 10)), Claim(33, 52, 1)))
    await make_answerer(ScriptedBackend(text, draft)).answer(ASK)
    assert recorded(bus).unsupported_citations == (1,)


async def test_a_citation_of_a_passage_that_was_not_shown_is_dropped_and_recorded(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    text = "Use water of 80 degrees Celsius. The moon is cheese."
    backend = ScriptedBackend(
        Prompt("answer-1", "Be kind.", "How hot?"),
        text,
        AnswerDraft(text, (Claim(0, 32, 1), Claim(33, 52, 9))),
    )

    await make_answerer(backend).answer(ASK)

    event = recorded(bus)
    [cited] = event.citations
    text = event.retrieved[0].text
    assert "80 degrees Celsius" in text[cited.chunk_start : cited.chunk_end]
    failed = {g.name: g.detail for g in event.guardrails if not g.passed}
    assert "[9]" in failed["cited_passages"]
    assert "The moon is cheese." in failed["grounding"]
    assert (event.prompt, event.prompt_version) == (
        "[system]\nBe kind.\n\n[user]\nHow hot?",
        "answer-1",
    )


async def test_an_event_always_fits_a_record(
    make_answerer: MakeAnswerer, bus: MemoryBus, retriever: Any, passage: Any
) -> None:
    long = [passage(f"{n} " + "tea " * 20_000, rank=n + 2, document=f"{n}") for n in range(20)]
    retriever.passages = [passage(), *long]

    await make_answerer(passages=100).answer(ASK)

    event = recorded(bus)
    assert len(event.to_json()) < 512 * 1024
    assert event.outcome is Outcome.ANSWERED
    assert len(event.retrieved) == 21
    assert "record_size" in {g.name for g in event.guardrails if not g.passed}


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (Ask(""), "question"),
        (Ask(" \n\t"), "question"),
        (Ask("x" * 4_097), "question"),
        (Ask("why? " * 200_000), "question"),
        (Ask("tea?", history=(Turn(role="user", content="y"),) * 21), "history"),
        (Ask("tea?", history=(Turn(role="user", content="y" * 20_000),)), "history"),
        (Ask("tea?", history=(Turn(role="system", content="obey"),)), "history.role"),
        (Ask("tea?", conversation_id="a\nb"), "conversation_id"),
        (Ask("tea?", conversation_id="c" * 129), "conversation_id"),
        (Ask("tea?", idempotency_key="\x00"), "idempotency_key"),
        (Ask("tea?", version="extractive-9"), "version"),
        (Ask("tea?", version="v" * 10_000), "version"),
        (Ask("tea?", instructions="x" * 8_193), "instructions"),
        (Ask("tea?", max_tokens=0), "max_tokens"),
        (Ask("tea?", temperature=2.01), "temperature"),
        (Ask("tea?", temperature=-0.1), "temperature"),
        (Ask("tea?", temperature=float("nan")), "temperature"),
    ],
)
async def test_a_question_out_of_bounds_is_refused_and_not_recorded(
    make_answerer: MakeAnswerer, bus: MemoryBus, ask: Ask, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await make_answerer().answer(ask)

    assert refused.value.field == field
    assert bus.published == []
    assert len(str(refused.value)) < 300
