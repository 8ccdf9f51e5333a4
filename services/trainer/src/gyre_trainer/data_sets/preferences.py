"""What people preferred: pairs of answers to one question, and answers that they liked or not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gyre_common.no_answer import NO_ANSWER

from gyre_trainer.data_sets.answer_joining import AnswerExample, Question, as_given, trust
from gyre_trainer.data_sets.answers import AnswerKind, AnswersKind, declines
from gyre_trainer.data_sets.split import clusters

Cluster = tuple[str, tuple[str, ...], str]
"""Tenant, groups of who asked, and the name that near-identical questions share."""


@dataclass(frozen=True)
class Preference:
    """`answer` is better than `rejected`; or, without that, it is one that should be given, or
    should not where it is not `desirable`. `trust` is twice the probability that this is so, less
    one.
    """

    answer: AnswerExample
    trust: float
    rejected: AnswerExample | None = None
    desirable: bool = True

    @property
    def sides(self) -> tuple[AnswerExample, ...]:
        """All that it rests on."""
        return (self.answer, self.rejected) if self.rejected else (self.answer,)


def preferences_of(
    kind: AnswersKind,
    examples: Sequence[AnswerExample],
    disliked: Sequence[AnswerExample],
    *,
    wrong: float,
) -> list[Preference]:
    """What `examples`, of which a question has one, and answers that people `disliked` say, when
    actors err at the rate `wrong`; in the order of the examples.
    """
    of = _labelled if kind is AnswersKind.LABELLED else _pairs
    preferences = of(examples, disliked, wrong)
    return [each for each in preferences if each.trust > 0 and _says_something(each)]


def _says_something(preference: Preference) -> bool:
    """Whether no side is empty, and both do not come to the same."""
    texts = [_answer_text(side) for side in preference.sides]
    return all(texts) and len(set(texts)) == len(texts)


def _answer_text(example: AnswerExample) -> str:
    declined = example.kind is AnswerKind.DECLINED or declines(example.words)
    return NO_ANSWER if declined else example.words


def _pairs(
    examples: Sequence[AnswerExample], disliked: Sequence[AnswerExample], wrong: float
) -> list[Preference]:
    """A correction against the answer that it corrects, a liked answer against the one that most
    people disliked among those to nearly the same question, asked with the same groups; of equals
    the newest.
    """
    names = _cluster_names([*examples, *disliked])
    of_cluster: dict[Cluster, list[AnswerExample]] = defaultdict(list)
    for each in disliked:
        of_cluster[names[each.question]].append(each)
    pairs = []
    for example in examples:
        if example.correction is not None:
            rejected = _corrected(example)
            pairs.append(Preference(example, trust(len(example.actors), wrong), rejected))
            continue
        others = [
            each
            for each in of_cluster[names[example.question]]
            if _answer_text(each) not in ("", _answer_text(example))
        ]
        if others:
            worst = max(others, key=_by_people)
            # Right only where both words are: the liked is good, and the disliked is not.
            both = sum(trust(len(each.actors), wrong) for each in (example, worst)) / 2
            pairs.append(Preference(example, round(both, 6), worst))
    return pairs


def _labelled(
    examples: Sequence[AnswerExample], disliked: Sequence[AnswerExample], wrong: float
) -> list[Preference]:
    """A correction, or a liked answer, should be given; what was corrected, or without a
    correction what most people disliked of a question, should not. One of either a question.
    """
    bad: dict[Question, AnswerExample] = {}
    for each in sorted(disliked, key=_by_people):
        bad[each.question] = each
    good = {example.question: example for example in examples}
    labelled = []
    for example in examples:
        labelled.append(Preference(example, trust(len(example.actors), wrong)))
        if example.correction is not None:
            bad[example.question] = _corrected(example)
    for question, each in sorted(bad.items(), key=lambda one: one[0]):
        contradicted = question in good and _answer_text(good[question]) == _answer_text(each)
        if not contradicted:
            labelled.append(Preference(each, trust(len(each.actors), wrong), desirable=False))
    return labelled


def _corrected(example: AnswerExample) -> AnswerExample:
    return as_given(example.interaction, example.actors, example.at)


def _by_people(example: AnswerExample) -> tuple[int, datetime, str]:
    return (len(example.actors), example.at, example.interaction.interaction_id)


def _cluster_names(examples: Sequence[AnswerExample]) -> Mapping[Question, Cluster]:
    names = clusters([example.interaction.searched for example in examples])
    return {
        one.question: (one.question[0], one.question[2], name)
        for one, name in zip(examples, names, strict=True)
    }
