"""Samples of a question that was answered, or was not."""

from gyre_common.no_answer import NO_ANSWER
from gyre_trainer.data_sets.answers import AnswerKind, AnswerRow
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.language_models.inputs import Sample


def a_sample(
    confidence: float | None = None,
    *,
    answered: bool,
    kind: AnswerKind = AnswerKind.CORRECTION,
    desirable: bool = True,
) -> Sample:
    row = AnswerRow(
        question_id="q",
        tenant="acme",
        part=DataSetPart.FIT,
        cluster="c",
        kind=kind,
        weight=1.0,
        desirable=desirable,
    )
    answer = "It is red." if answered else NO_ANSWER
    return Sample(
        row=row,
        asked=QuestionContext("acme", "?", (), ()),
        system="",
        user="",
        passages={},
        answer=answer,
        confidence=confidence,
    )
