"""Which answers become examples: each question once, those that most people wrote first."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gyre_common.prompt_examples import PromptExample

from gyre_trainer.data_sets.answers import AnswerKind
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.recipes.prompt_few_shot.config import FewShotConfig

_BYTES_PER_TOKEN = 4  # as the generator estimates them


class NoExample(StrEnum):
    """Why an answer is no example."""

    DECLINED = "it says that the passages hold no answer"
    LIKED = "it was liked, not written"
    RESTRICTED = "a document that it may quote is restricted"
    CONVERSATION = "it goes on with a conversation, whose other answers had documents of their own"
    TOO_LONG = "it is longer than all examples of a prompt may be"
    SAME_QUESTION = "a question in nearly the same words is an example already"
    TOO_MANY = "there are as many examples as there may be"


@dataclass(frozen=True)
class Curated:
    """The examples, the best first, and how many answers are none, by reason."""

    examples: Sequence[PromptExample]
    left_out: dict[str, int]


def curate(samples: Iterable[Sample], config: FewShotConfig) -> Curated:
    """Answers that people wrote before those that they liked, then by the number of people who
    agree, then the newest; of a cluster of questions the first.
    """
    examples: list[PromptExample] = []
    left_out: Counter[NoExample] = Counter()
    clusters: set[str] = set()
    for sample in sorted(samples, key=_order, reverse=True):
        reason = _refusal(sample, config)
        if reason is None and sample.row.cluster in clusters:
            reason = NoExample.SAME_QUESTION
        if reason is None and len(examples) == config.most_examples:
            reason = NoExample.TOO_MANY
        if reason is not None:
            left_out[reason] += 1
            continue
        clusters.add(sample.row.cluster)
        examples.append(_example(sample))
    return Curated(examples, {reason.value: count for reason, count in sorted(left_out.items())})


def _order(sample: Sample) -> tuple[bool, int, str, str]:
    row = sample.row
    return (row.kind is AnswerKind.CORRECTION, len(row.actors), row.at, row.question_id)


def _refusal(sample: Sample, config: FewShotConfig) -> NoExample | None:
    row, text = sample.row, sample.asked.question + sample.answer
    if row.kind is AnswerKind.DECLINED:
        return NoExample.DECLINED
    if row.kind is AnswerKind.LIKED and not config.liked:
        return NoExample.LIKED
    if row.groups and not config.restricted:
        return NoExample.RESTRICTED
    if sample.asked.history:
        return NoExample.CONVERSATION
    if len(text.encode()) > config.example_tokens * _BYTES_PER_TOKEN:
        return NoExample.TOO_LONG
    return None


def _example(sample: Sample) -> PromptExample:
    row = sample.row
    return PromptExample(
        tenant=row.tenant,
        question=sample.asked.question,
        answer=sample.answer,
        documents=row.may_quote,
        groups=row.groups,
    )
