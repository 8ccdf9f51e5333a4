"""Facts of before, redacted as those that come now."""

from collections.abc import Mapping
from dataclasses import replace

from gyre_common.events.interactions import Turn
from gyre_common.redaction import redact
from gyre_common.store import digest_of

from gyre_trainer.segments.facts import Fact, FeedbackFact, InteractionFact, JudgementFact, Shown


def redacted_passages(texts: Mapping[str, str], tenant: str) -> dict[str, str]:
    """Those that may not stay as they are: by their old digest what may."""
    after = {digest: redact(text, tenant) for digest, text in texts.items()}
    return {digest: text for digest, text in after.items() if text != texts[digest]}


def redacted_fact(fact: Fact, changed_passages: Mapping[str, str]) -> Fact:
    """A fact as it may stay, equal where all of it may; doing it twice changes nothing."""
    match fact:
        case InteractionFact():
            return _of_interaction(fact, changed_passages)
        case FeedbackFact():
            return replace(
                fact,
                value=redact(fact.value, fact.tenant),
                comment=redact(fact.comment, fact.tenant),
            )
        case JudgementFact():
            return fact


def _of_interaction(fact: InteractionFact, changed_passages: Mapping[str, str]) -> InteractionFact:
    def of_turn(turn: Turn) -> Turn:
        return turn.model_copy(update={"content": redact(turn.content, fact.tenant)})

    def of_shown(shown: Shown) -> Shown:
        text = changed_passages.get(shown.text)
        return replace(
            shown,
            heading=redact(shown.heading, fact.tenant),
            text=shown.text if text is None else digest_of(text.encode()),
        )

    return replace(
        fact,
        question=redact(fact.question, fact.tenant),
        query=redact(fact.query, fact.tenant),
        history=tuple(map(of_turn, fact.history)),
        prompt=redact(fact.prompt, fact.tenant),
        answer=redact(fact.answer, fact.tenant),
        shown=tuple(map(of_shown, fact.shown)),
    )
