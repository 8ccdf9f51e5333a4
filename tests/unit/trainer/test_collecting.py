"""What is asked, judged and said becomes facts, each once, also when the store is away."""

import io
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from gyre_common.errors import Retryable
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackKind
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    ExampleDocument,
    Score,
    Turn,
)
from gyre_common.store import Shelf
from gyre_trainer.handlers import build_handlers
from gyre_trainer.segments import Collector, Segments
from gyre_trainer.segments.facts import ExampleSource, PartitionFacts, without_passages
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    CHUNK_ID,
    a_feedback,
    a_retrieved_chunk,
    a_verdict,
    an_interaction,
)
from tests.fakes.bus import MemoryBus
from tests.unit.trainer.training_facts import an_interaction as a_fact
from tests.unit.trainer.training_facts import shown as a_shown


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(f"file://{tmp_path}", "segments")


@pytest.fixture
def segments(shelf: Shelf) -> Segments:
    return Segments(shelf)


@pytest.fixture
def bus(segments: Segments) -> MemoryBus:
    bus = MemoryBus()
    build_handlers(bus, Collector(segments))
    return bus


async def everything(segments: Segments) -> list[PartitionFacts]:
    return [facts async for facts in segments.facts(await segments.durable(), EVERY_TENANT)]


async def test_an_interaction_its_verdict_and_its_votes_are_kept_side_by_side(
    bus: MemoryBus, segments: Segments
) -> None:
    explored = a_retrieved_chunk(rank=2, explored=True, propensity=0.5, used=False)
    async with bus:
        vote = a_feedback(kind=FeedbackKind.CHUNK, target=str(CHUNK_ID))
        await bus.deliver(FEEDBACK_RECEIVED, vote)
        await bus.deliver(
            INTERACTION_COMPLETED, an_interaction(retrieved=(a_retrieved_chunk(), explored))
        )
        scores = (Score(metric="groundedness", value=0.5), Score(metric="safety", value=None))
        await bus.deliver(INTERACTION_JUDGED, a_verdict(scores=scores))
    [facts] = await everything(segments)
    [interaction], [feedback], [judged] = facts.interactions, facts.feedback, facts.judgements
    assert interaction.interaction_id == feedback.interaction_id == judged.interaction_id
    assert interaction.cited == (str(CHUNK_ID),)
    assert interaction.outcome == "answered"
    assert [(one.rank, one.explored, one.propensity, one.used) for one in interaction.shown] == [
        (1, False, 1.0, True),
        (2, True, 0.5, False),
    ]
    assert (feedback.kind, feedback.value, feedback.target) == ("chunk", "up", str(CHUNK_ID))
    assert judged.scores == {"groundedness": 0.5}


async def test_what_was_searched_for_a_follow_up_is_kept_and_whether_filters_bounded_it(
    bus: MemoryBus, segments: Segments
) -> None:
    follow_up = an_interaction(
        question="And how long?", query="How hot is tea?\nAnd how long?", filtered=True
    )
    async with bus:
        await bus.deliver(INTERACTION_COMPLETED, follow_up, an_interaction(interaction_id=uuid4()))
    interactions = [
        interaction for facts in await everything(segments) for interaction in facts.interactions
    ]
    assert {(one.question, one.searched, one.filtered) for one in interactions} == {
        ("And how long?", "How hot is tea?\nAnd how long?", True),
        ("How hot should the water for green tea be?",) * 2 + (False,),
    }


async def test_what_the_examples_in_a_prompt_rest_on_is_kept(
    bus: MemoryBus, segments: Segments
) -> None:
    sources = (
        ExampleDocument(document_id="tea.md"),
        ExampleDocument(document_id="plans.md", acl=("boss", "staff")),
    )
    async with bus:
        await bus.deliver(INTERACTION_COMPLETED, an_interaction(example_documents=sources))
    [[interaction]] = [facts.interactions for facts in await everything(segments)]
    assert interaction.example_documents == (
        ExampleSource("tea.md"),
        ExampleSource("plans.md", ("boss", "staff")),
    )


async def test_what_was_said_and_read_is_kept(bus: MemoryBus, segments: Segments) -> None:
    passage = "Green tea is steeped at 80 \u00b0C, for two minutes at most."
    read = (
        a_retrieved_chunk(text=passage, acl=("kitchen",)),
        a_retrieved_chunk(rank=2, text="Short.", acl=(), heading_path=()),
        a_retrieved_chunk(rank=3, text="Of an older retriever, which told no groups."),
    )
    interaction = an_interaction(
        actor="ann",
        acl=("kitchen", "staff"),
        history=(Turn(role="user", content="What is tea?"), Turn(role="assistant", content="Hot.")),
        retrieved=read,
        prompt=f"\x1f1\x1f odd\x1f [1] Tea\n{passage}\n[2] Short.\n{passage}",
        answer="At 80 \u00b0C.",
    )
    correction = a_feedback(kind=FeedbackKind.CORRECTION, value="At 75.", comment="Cooler!")
    async with bus:
        await bus.deliver(INTERACTION_COMPLETED, interaction)
        await bus.deliver(FEEDBACK_RECEIVED, correction)
    [facts] = await everything(segments)
    [fact], [feedback] = facts.interactions, facts.feedback
    assert (fact.actor, fact.history, fact.answer) == (
        "ann",
        interaction.history,
        interaction.answer,
    )
    assert fact.acl == ("kitchen", "staff")
    assert [one.acl for one in fact.shown] == [("kitchen",), (), None]
    assert [one.heading for one in fact.shown] == ["Tea", "Tea", "Tea"]
    texts = await segments.passages.get("default", [one.text for one in fact.shown])
    assert [texts[one.text] for one in fact.shown] == [one.text for one in read]
    assert passage not in fact.prompt
    assert fact.prompt_with(texts) == interaction.prompt
    assert (feedback.kind, feedback.value, feedback.comment) == ("correction", "At 75.", "Cooler!")


@given(st.lists(st.text("ab\x1f1", max_size=50), max_size=5), st.text("ab\x1f1", max_size=200))
def test_a_prompt_comes_back_as_the_model_read_it(passages: list[str], between: str) -> None:
    prompt = between.join(passages)
    shown = tuple(
        a_shown(number, rank, text=text) for number, (rank, text) in enumerate(enumerate(passages))
    )
    marked = without_passages(prompt, dict(enumerate(passages)))
    fact = a_fact(shown=shown, prompt=marked)
    assert fact.prompt_with({text: text for text in passages}) == prompt


async def test_a_passage_that_is_shown_again_and_again_is_kept_once(
    bus: MemoryBus, segments: Segments, shelf: Shelf
) -> None:
    async with bus:
        for _ in range(3):
            events = [an_interaction(interaction_id=uuid4()) for _ in range(20)]
            await bus.deliver(INTERACTION_COMPLETED, *events)
        await bus.deliver(INTERACTION_COMPLETED, an_interaction(tenant="other"))
    packs = await shelf.names("passages")
    assert [name.split("/")[1] for name in packs] == ["default", "other"]
    tables = [pq.read_table(io.BytesIO(await shelf.get(name))) for name in packs]
    assert [len(table) for table in tables] == [1, 1]


async def test_a_full_store_delays_collecting_and_loses_and_doubles_nothing(
    bus: MemoryBus, segments: Segments, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, refused = shelf.put, 0

    async def full_for_a_while(name: str, data: bytes) -> None:
        nonlocal refused
        refused += 1
        if refused % 3:
            raise Retryable("No space left on device")
        await put(name, data)

    monkeypatch.setattr(shelf, "put", full_for_a_while)
    ids = [uuid4() for _ in range(60)]
    async with bus:
        await bus.deliver(FEEDBACK_RECEIVED, *(a_feedback(interaction_id=one) for one in ids))
    interaction_ids = [
        feedback.interaction_id
        for facts in await everything(segments)
        for feedback in facts.feedback
    ]
    assert sorted(interaction_ids) == sorted(map(str, ids))
    assert refused > 2
    assert bus.parked == []
