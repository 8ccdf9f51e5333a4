"""What each question should find: a distribution over the stored passages, by position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gyre_common.errors import FailedPrecondition

from gyre_trainer.recipes.query_encoder.exact_search import bm25_scores, bm25_span
from gyre_trainer.recipes.query_encoder.inputs import EncodedCorpus, Flags, LiveHits
from gyre_trainer.recipes.query_encoder.questions import TrainingQuestion

Shares = Mapping[int, float]
"""Numbers by a passage's position in the corpus."""


@dataclass(frozen=True)
class TrainingExample:
    """A text, the distribution that it should find (sums to 1), and how much that counts.

    `lexical` holds BM25's points (0 to 1), what the other leg of retrieval brings anyway; `hidden`
    marks the passages that whoever asks cannot find, None where there is none. A rehearsed text's
    target may sum to less: the rest is what the base finds for it.
    """

    text: str
    target: Shares
    weight: float = 1.0
    lexical: Shares = field(default_factory=dict)
    hidden: Flags | None = None


def examples_of(
    questions: Sequence[TrainingQuestion],
    corpus: EncodedCorpus,
    live: Mapping[str, LiveHits],
) -> list[TrainingExample]:
    """One example a question that wants a passage which is still there.

    Raises:
        FailedPrecondition: there is none.
    """
    examples = []
    for question in questions:
        positives = _present(question.positive_labels, corpus)
        if positives:
            live_hits = next((live[each] for each in question.ids if each in live), None)
            examples.append(
                TrainingExample(
                    text=question.text,
                    target=_normalised(positives),
                    weight=min(1.0, max(positives.values())),
                    lexical=_present(bm25_points(live_hits) if live_hits else {}, corpus),
                    hidden=corpus.hidden(question.tenant, question.acl),
                )
            )
    if not examples:
        raise FailedPrecondition(
            "no question wants a passage that is still in the index — collect more votes"
        )
    return examples


def _present(labels: Mapping[str, float], corpus: EncodedCorpus) -> dict[int, float]:
    return {
        corpus.position[chunk]: label for chunk, label in labels.items() if chunk in corpus.position
    }


def _normalised(shares: Shares) -> dict[int, float]:
    total = sum(shares.values())
    return {position: share / total for position, share in shares.items()}


def bm25_points(live_hits: LiveHits) -> dict[str, float]:
    """The BM25 leg as fusion normalises it, by chunk id; what that leg did not find is missing."""
    span = bm25_span(live_hits)
    if span is None:
        return {}
    return {chunk: span.normalised(score) for chunk, score in bm25_scores(live_hits).items()}
