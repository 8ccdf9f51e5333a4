"""Merges what was said about a question, however often it was asked, into one row to learn from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gyre_common.lines import folded

from gyre_trainer.recipes.query_encoder.inputs import QuestionRow


@dataclass(frozen=True)
class TrainingQuestion:
    """A question and the mean label of each passage that was judged for it, by chunk id.

    `ids` are its occurrences, `cluster` is that of near-identical questions. `held_out`: no
    document that it wants had a vote to learn from.
    """

    text: str
    ids: tuple[str, ...]
    labels: Mapping[str, float]
    held_out: bool = False
    tenant: str = ""
    acl: tuple[str, ...] = ()
    cluster: str = ""

    @property
    def positive_labels(self) -> Mapping[str, float]:
        """The passages with a positive label."""
        return {chunk: label for chunk, label in self.labels.items() if label > 0}


def merge_questions(rows: Sequence[QuestionRow], part: str) -> list[TrainingQuestion]:
    """The questions of one part that want something, in the order in which they were first asked.

    Two rows are the same question when their words are, whatever the case and the spaces, and both
    askers can find the same: another tenant, or other groups, make another question of it.
    """
    groups: dict[tuple[str, ...], list[QuestionRow]] = defaultdict(list)
    for row in rows:
        if row.part == part:
            groups[row.tenant, folded(row.question), *sorted(row.acl)].append(row)
    questions = [_one(group) for group in groups.values()]
    return [question for question in questions if question.positive_labels]


def _one(rows: Sequence[QuestionRow]) -> TrainingQuestion:
    labels_by_chunk: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for shown in row.shown:
            if shown.label is not None:
                labels_by_chunk[shown.chunk_id].append(shown.label)
    return TrainingQuestion(
        text=rows[0].question,
        ids=tuple(row.question_id for row in rows),
        labels={chunk: sum(labels) / len(labels) for chunk, labels in labels_by_chunk.items()},
        held_out=all(row.held_out for row in rows),
        tenant=rows[0].tenant,
        acl=rows[0].acl,
        cluster=rows[0].cluster or folded(rows[0].question),
    )
