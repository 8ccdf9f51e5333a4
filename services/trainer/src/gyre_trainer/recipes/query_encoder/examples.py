"""What is learned from: questions with what they should find, dealt out to the steps."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from gyre_common.errors import FailedPrecondition
from gyre_common.lines import folded
from gyre_common.text import Kind, sentences

from gyre_trainer.data_sets.frozen import DataSetRow
from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig
from gyre_trainer.recipes.query_encoder.inputs import CorpusPassage, EncodedCorpus, Flags
from gyre_trainer.recipes.query_encoder.ranking import LiveHits
from gyre_trainer.recipes.query_encoder.repeated_passages import Repeats

_FEWEST_WORDS, _MOST_WORDS = 5, 40
_PROSE = frozenset({Kind.PROSE, Kind.ITEM})

Shares = Mapping[int, float]
"""Numbers by a passage's position in the corpus."""


@dataclass(frozen=True)
class TrainingQuestion:
    """`labels`: means by chunk id; `ids`: its occurrences; `held_out`: as in `DataSetRow`."""

    text: str
    ids: tuple[str, ...]
    labels: Mapping[str, float]
    held_out: bool = False
    tenant: str = ""
    acl: tuple[str, ...] = ()
    cluster: str = ""

    def live_hits(self, live: Mapping[str, LiveHits]) -> LiveHits | None:
        """What live found for it; None where live was not asked."""
        return next((live[each] for each in self.ids if each in live), None)


def merge_questions(rows: Sequence[DataSetRow], part: str) -> list[TrainingQuestion]:
    """Those of one part that want something, as first asked. Two rows are the same question when
    their words are, whatever case and spaces, and both askers, by tenant and groups, can find the
    same.
    """
    groups: dict[tuple[str, ...], list[DataSetRow]] = defaultdict(list)
    for row in rows:
        if row.part == part:
            groups[row.tenant, folded(row.question), *sorted(row.acl)].append(row)
    questions = []
    for group in groups.values():
        labels: dict[str, list[float]] = defaultdict(list)
        for row in group:
            for shown in row.shown:
                if shown.label is not None:
                    labels[shown.chunk_id].append(shown.label)
        means = {chunk: sum(values) / len(values) for chunk, values in labels.items()}
        if max(means.values(), default=0.0) > 0:
            question = TrainingQuestion(
                text=group[0].question,
                ids=tuple(row.question_id for row in group),
                labels=means,
                held_out=all(row.held_out for row in group),
                tenant=group[0].tenant,
                acl=group[0].acl,
                cluster=group[0].cluster or folded(group[0].question),
            )
            questions.append(question)
    return questions


@dataclass(frozen=True)
class TrainingExample:
    """A text, the distribution over passages that it should find, and how much that counts.

    `lexical` holds BM25's points (0 to 1), what the other leg of retrieval brings anyway; `hidden`
    marks the passages that whoever asks cannot find; `repeats` are those that say what a wanted one
    says, and need not be found. The target sums to 1, or to less for a rehearsed text: the rest is
    what the base finds for it.
    """

    text: str
    target: Shares
    weight: float = 1.0
    lexical: Shares = field(default_factory=dict)
    hidden: Flags | None = None
    repeats: frozenset[int] = frozenset()


def examples_of(
    questions: Sequence[TrainingQuestion], corpus: EncodedCorpus, live: Mapping[str, LiveHits]
) -> list[TrainingExample]:
    """Of questions that want a passage still there. Raises FailedPrecondition: there is none."""

    def by_position(numbers: Mapping[str, float]) -> dict[int, float]:
        position = corpus.position
        return {position[chunk]: each for chunk, each in numbers.items() if chunk in position}

    examples = []
    repeats = Repeats(corpus.passages)
    for question in questions:
        labels = by_position(question.labels)
        positives = {at: label for at, label in labels.items() if label > 0}
        if positives:
            total = sum(positives.values())
            live_hits = question.live_hits(live)
            example = TrainingExample(
                text=question.text,
                target={at: label / total for at, label in positives.items()},
                weight=min(1.0, max(positives.values())),
                lexical=by_position(live_hits.bm25_points) if live_hits else {},
                hidden=corpus.hidden(question.tenant, question.acl),
                repeats=frozenset().union(*map(repeats.of, positives)) - labels.keys(),
            )
            examples.append(example)
    if not examples:
        raise FailedPrecondition(
            "no question wants a passage that is still in the index — collect more votes"
        )
    return examples


def rehearsals(
    corpus: EncodedCorpus, *, count: int, own_share: float, seed: int
) -> list[TrainingExample]:
    """`count` titles or sentences of the corpus, which must keep their place; passages are drawn
    without repeats while they last. `own_share` of a text's target is its own passage.
    """
    random = np.random.default_rng([seed, 1])
    order: list[int] = []
    while len(order) < count:
        order += random.permutation(len(corpus.passages)).tolist()
    return [
        TrainingExample(
            text=_text_of(corpus.passages[position], random),
            target={position: own_share} if own_share else {},
        )
        for position in order[:count]
    ]


def _text_of(passage: CorpusPassage, random: np.random.Generator) -> str:
    """The title in a third of all cases, else a sentence; the beginning where there is neither."""
    prose = [each.text.split() for each in sentences(passage.text) if each.kind in _PROSE]
    choices = [words for words in prose if _FEWEST_WORDS <= len(words) <= _MOST_WORDS]
    if passage.title and (not choices or random.random() < 1 / 3):
        return passage.title
    if choices:
        return " ".join(choices[int(random.integers(len(choices)))])
    return " ".join(passage.text.split()[:_MOST_WORDS])


@dataclass(frozen=True)
class Batch:
    """The examples of one batch on one process, and how many its step has in all."""

    questions: Sequence[TrainingExample]
    rehearsals: Sequence[TrainingExample]
    question_total: int
    rehearsal_total: int


class Batches:
    """Shuffled questions and rehearsals, a function of the step: a run can go on anywhere."""

    def __init__(
        self,
        questions: Sequence[TrainingExample],
        corpus: EncodedCorpus,
        config: QueryEncoderConfig,
    ) -> None:
        self._questions = questions
        self._seed = config.seed
        self._orders: dict[int, Sequence[int]] = {}
        self._questions_per_step = min(config.batch, len(questions))
        self._accumulation = config.accumulation
        self.steps = ceil(config.epochs * len(questions) / self._questions_per_step)
        self._rehearsals_per_step = round(config.rehearsal * self._questions_per_step)
        self._rehearsals = rehearsals(
            corpus,
            count=self._rehearsals_per_step * self.steps,
            own_share=config.rehearsal_own_share,
            seed=config.seed,
        )

    def at(self, step: int, *, rank: int, ranks: int) -> list[Batch]:
        """The batches of a process in a step (from 0): of all processes always the same ones."""
        first = step * self._questions_per_step
        questions = [self._question(first + place) for place in range(self._questions_per_step)]
        first = step * self._rehearsals_per_step
        texts = self._rehearsals[first : first + self._rehearsals_per_step]
        return [
            Batch(
                questions[part :: self._accumulation][rank::ranks],
                texts[part :: self._accumulation][rank::ranks],
                question_total=len(questions),
                rehearsal_total=len(texts),
            )
            for part in range(self._accumulation)
        ]

    def _question(self, position: int) -> TrainingExample:
        epoch, place = divmod(position, len(self._questions))
        if epoch not in self._orders:
            order = np.random.default_rng([self._seed, 2, epoch]).permutation(len(self._questions))
            self._orders = {epoch: order.tolist()}
        return self._questions[self._orders[epoch][place]]
