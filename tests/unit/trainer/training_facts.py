"""Facts for tests of data sets: valid as they come, with only what a test is about overridden."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gyre_trainer.data_sets.joining import InteractionWithFeedback, Joined
from gyre_trainer.segments.facts import (
    FeedbackFact,
    InteractionFact,
    JudgementFact,
    PartitionFacts,
    Shown,
)

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def chunk(number: int) -> str:
    return f"00000000-0000-5000-8000-{number:012d}"


def shown(number: int, rank: int, **overrides: Any) -> Shown:
    """Passage `number`, of the document of the same number."""
    passage = Shown(
        chunk_id=chunk(number),
        document_id=f"doc-{number}",
        revision=1,
        rank=rank,
        scores={"bm25": 10.0 - rank, "dense": 0.9 - rank / 100},
        used=True,
        explored=False,
        propensity=1.0,
    )
    return replace(passage, **overrides)


def an_interaction(offset: int = 0, *passages: int, **overrides: Any) -> InteractionFact:
    """A question that was answered with the passages 1, 2 and 3, or those given."""
    fact = InteractionFact(
        offset=offset,
        tenant="acme",
        interaction_id=f"00000000-0000-7000-8000-{offset:012d}",
        conversation_id=f"c-{offset}",
        question=f"what is subject{offset} matter{offset}",
        acl=("staff",),
        outcome="answered",
        versions={"query-encoder": "minilm-l6-v2"},
        arms={},
        shown=tuple(shown(n, rank) for rank, n in enumerate(passages or (1, 2, 3), start=1)),
        cited=(),
        started_at=MORNING + timedelta(minutes=offset),
        completed_at=MORNING + timedelta(minutes=offset, seconds=1),
    )
    return replace(fact, **overrides)


def a_vote(
    about: InteractionFact, number: int, value: str = "up", **overrides: Any
) -> FeedbackFact:
    """A vote of ann's on passage `number`, ten seconds after the answer."""
    return an_opinion(about, kind="chunk", value=value, target=chunk(number), **overrides)


def an_opinion(about: InteractionFact, *, kind: str, value: str, **overrides: Any) -> FeedbackFact:
    """A word of ann's on the answer."""
    fact = FeedbackFact(
        offset=overrides.get("offset", 0),
        tenant=about.tenant,
        interaction_id=about.interaction_id,
        feedback_id="",
        kind=kind,
        value=value,
        target="answer",
        actor="ann",
        received_at=about.completed_at + timedelta(seconds=10),
    )
    fact = replace(fact, **overrides)
    words = (fact.interaction_id, fact.actor, kind, fact.target, value, str(fact.received_at))
    return fact if fact.feedback_id else replace(fact, feedback_id="/".join(words))


def a_judgement(about: InteractionFact, offset: int = 0) -> JudgementFact:
    return JudgementFact(
        offset=offset,
        tenant=about.tenant,
        interaction_id=about.interaction_id,
        judge_version="baseline-1",
        scores={"groundedness": 1.0},
        judged_at=about.completed_at + timedelta(seconds=1),
    )


def join(*partitions: PartitionFacts) -> Joined:
    joined_facts = Joined()
    for facts in partitions:
        joined_facts.add(facts)
    return joined_facts


def joined(
    interaction: InteractionFact, *feedback: FeedbackFact
) -> tuple[list[InteractionWithFeedback], Joined]:
    counted = join(PartitionFacts((interaction,), feedback))
    return counted.examples, counted


def a_crowd(questions: int, *, actors: int = 5, shared: int = 3) -> PartitionFacts:
    """Questions of many actors: passage 1 of three is right, and each document serves `shared`
    questions of as many clusters.
    """
    interactions, feedback = [], []
    for n in range(questions):
        right = 10_000 + n // shared
        interaction = an_interaction(n, 20_000 + n, right, 30_000 + n)
        actor = f"user-{n % actors}"
        interactions.append(interaction)
        feedback.append(a_vote(interaction, right, offset=2 * n, actor=actor))
        feedback.append(a_vote(interaction, 30_000 + n, "down", offset=2 * n + 1, actor=actor))
    return PartitionFacts(interactions, feedback)
