"""Facts for tests of data sets of answers: a model was asked, and somebody spoke of the answer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from gyre_common.store import Shelf, digest_of
from gyre_trainer.data_sets.answer_freezing import freeze_answers
from gyre_trainer.data_sets.answer_joining import Wanted
from gyre_trainer.data_sets.frozen import FrozenDataSet
from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.segments import Segments
from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, PartitionFacts, Shown
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS

from tests.unit.trainer.training_facts import an_interaction, an_opinion, shown

PROMPT = "answer-1"
CONTEXT_TOKENS = 1024


async def never_rendered(context: QuestionContext) -> tuple[str, str]:
    raise AssertionError("every answer has the prompt that its model was sent")


def text_of(number: int) -> str:
    return f"Passage {number} says at some length what matter {number} is made of."


def digest(number: int) -> str:
    return digest_of(text_of(number).encode())


def quoted(number: int, rank: int = 1, **overrides: Any) -> Shown:
    """Passage `number`, open to everybody."""
    return shown(number, rank, **({"text": digest(number), "acl": ()} | overrides))


def an_answer(offset: int = 0, **overrides: Any) -> InteractionFact:
    """Of a language model, to a question of ann's, on the passage of the same number."""
    fields: dict[str, Any] = {
        "question": f"what is subject{offset} matter{offset}",
        "shown": (quoted(offset),),
        "prompt": f"[system]\nBe brief.\n\n[user]\n[1] \x1f1\x1f\nQuestion: {offset}?",
        "answer": f"It is wrong{offset}.",
        "versions": {"generator": "tiny", "prompt/answer": PROMPT},
        "acl": (),
    }
    return replace(an_interaction(offset), **(fields | overrides))


def a_correction(about: InteractionFact, answer: str, **overrides: Any) -> FeedbackFact:
    word = an_opinion(about, kind="correction", value=answer, **overrides)
    return replace(word, feedback_id=f"{about.interaction_id}/{word.actor}/{word.received_at}")


def a_thumb(about: InteractionFact, value: str = "up", **overrides: Any) -> FeedbackFact:
    return an_opinion(about, kind="thumb", value=value, **overrides)


def many_answers(count: int, *, actors: int = 6) -> PartitionFacts:
    """Of every six, four are corrected, one is said not to be answered, and one is liked."""
    interactions, feedback = [], []
    for n in range(count):
        one = an_answer(n)
        actor = f"user-{n % actors}"
        interactions.append(one)
        if n % 6 == 4:
            word = a_correction(one, "Not answered here.", offset=n, actor=actor)
        elif n % 6 == 5:
            word = a_thumb(one, offset=n, actor=actor)
        else:
            word = a_correction(one, f"It is right{n}.", offset=n, actor=actor)
        feedback.append(word)
    return PartitionFacts(interactions, feedback)


async def segments_with(path: Path, facts: PartitionFacts) -> Segments:
    segments = Segments(Shelf(f"file://{path}/store", "segments"))
    numbers = range(len(facts.interactions))
    passages = {digest(number): text_of(number) for number in numbers}
    await segments.append(INTERACTIONS, 0, list(facts.interactions), passages)
    words = [replace(word, offset=at) for at, word in enumerate(facts.feedback)]
    await segments.append(FEEDBACK, 0, words)
    return segments


def many_preferences(count: int, *, actors: int = 6) -> PartitionFacts:
    """The same, and of every six another answer to the question of the liked one is disliked."""
    facts = many_answers(count, actors=actors)
    interactions, feedback = list(facts.interactions), list(facts.feedback)
    for n in range(5, count, 6):
        worse = an_answer(
            len(interactions),
            question=interactions[n].question,
            answer=f"It is worse{n}.",
            conversation_id=interactions[n].conversation_id,
        )
        interactions.append(worse)
        feedback.append(a_thumb(worse, "down", offset=len(feedback), actor=f"user-{n % actors}"))
    return PartitionFacts(interactions, feedback)


def with_golden(facts: PartitionFacts, count: int) -> PartitionFacts:
    """And as many other questions with golden answers, all of one person who asked as well."""
    first = len(facts.interactions)
    interactions = [an_answer(n, actor="owner") for n in range(first, first + count)]
    golden = [
        replace(
            a_correction(
                one,
                "Not answered here." if n % 6 == 4 else f"It is right{n}.",
                offset=len(facts.feedback) + n - first,
                actor="owner",
            ),
            golden=True,
        )
        for n, one in enumerate(interactions, start=first)
    ]
    return PartitionFacts([*facts.interactions, *interactions], [*facts.feedback, *golden])


def with_unanswered(facts: PartitionFacts, count: int) -> PartitionFacts:
    """And as many questions of which nobody said anything."""
    first = len(facts.interactions)
    silent = [an_answer(n, actor=f"other-{n}", acl=("board",)) for n in range(first, first + count)]
    return PartitionFacts([*facts.interactions, *silent], facts.feedback)


async def frozen_from(
    segments: Segments, *, profile: str = "demo", restricted: bool = False, unanswered: int = 0
) -> FrozenDataSet:
    return await freeze_answers(
        segments,
        tenant="acme",
        profile=profile,
        window=await segments.durable(),
        wanted=Wanted(PROMPT, CONTEXT_TOKENS, restricted=restricted, unanswered=unanswered),
        liked_weight=0.5,
        teacher_weight=0.4,
    )
