"""What is asked, judged and said becomes facts, each once, also when the store is away."""

from pathlib import Path
from uuid import uuid4

import pytest
from gyre_common.bus.memory import MemoryBus
from gyre_common.errors import Retryable
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackKind
from gyre_common.events.interactions import INTERACTION_COMPLETED, INTERACTION_JUDGED, Score
from gyre_common.store import Shelf
from gyre_common.testing.builders import (
    CHUNK_ID,
    a_feedback,
    a_retrieved_chunk,
    a_verdict,
    an_interaction,
)
from gyre_trainer.handlers import Batching, build_handlers
from gyre_trainer.segments import Collector, Segments
from gyre_trainer.segments.facts import PartitionFacts


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(f"file://{tmp_path}", "segments")


@pytest.fixture
def segments(shelf: Shelf) -> Segments:
    return Segments(shelf)


@pytest.fixture
def bus(segments: Segments) -> MemoryBus:
    bus = MemoryBus()
    build_handlers(bus, Collector(segments), Batching())
    return bus


async def everything(segments: Segments) -> list[PartitionFacts]:
    return [facts async for facts in segments.facts(await segments.durable(), None)]


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
    [asked], [said], [judged] = facts.interactions, facts.feedback, facts.judgements
    assert asked.interaction_id == said.interaction_id == judged.interaction_id
    assert asked.cited == (str(CHUNK_ID),)
    assert asked.outcome == "answered"
    assert [(one.rank, one.explored, one.propensity, one.used) for one in asked.shown] == [
        (1, False, 1.0, True),
        (2, True, 0.5, False),
    ]
    assert (said.kind, said.value, said.target) == ("chunk", "up", str(CHUNK_ID))
    assert judged.scores == {"groundedness": 0.5}


async def test_what_was_searched_for_a_follow_up_is_kept_and_whether_filters_bounded_it(
    bus: MemoryBus, segments: Segments
) -> None:
    follow_up = an_interaction(
        question="And how long?", query="How hot is tea?\nAnd how long?", filtered=True
    )
    async with bus:
        await bus.deliver(INTERACTION_COMPLETED, follow_up, an_interaction(interaction_id=uuid4()))
    kept = [asked for facts in await everything(segments) for asked in facts.interactions]
    assert {(one.question, one.searched, one.filtered) for one in kept} == {
        ("And how long?", "How hot is tea?\nAnd how long?", True),
        ("How hot should the water for green tea be?",) * 2 + (False,),
    }


async def test_no_text_of_a_passage_an_answer_or_a_comment_is_kept(
    bus: MemoryBus, tmp_path: Path, segments: Segments
) -> None:
    async with bus:
        await bus.deliver(INTERACTION_COMPLETED, an_interaction(answer="a secret answer"))
        await bus.deliver(FEEDBACK_RECEIVED, a_feedback(comment="a secret comment"))
    facts = str(await everything(segments))
    assert "How hot should the water" in facts
    assert "secret" not in facts
    assert "steeped" not in facts


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
    kept = [said.interaction_id for facts in await everything(segments) for said in facts.feedback]
    assert sorted(kept) == sorted(map(str, ids))
    assert refused > 2
    assert bus.parked == []
