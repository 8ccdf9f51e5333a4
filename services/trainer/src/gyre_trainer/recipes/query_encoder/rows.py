"""The rows of a frozen data set, as far as their passages are still there."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gyre_trainer.data_sets import FrozenDataSet, rows, without_deleted
from gyre_trainer.recipes.query_encoder.comparison.questions import DataSetQuestion


@dataclass(frozen=True)
class RemainingQuestions:
    """What is left of one side of a data set, and how many questions it had."""

    rows: list[DataSetQuestion]
    before: int


def remaining_questions(
    frozen: FrozenDataSet,
    name: str,
    chunk_ids: Collection[str],
    texts: Mapping[tuple[str, str], str],
) -> RemainingQuestions:
    """Of `TRAIN` or `GATE`; votes on passages that are gone do not count. `texts` of the questions
    are by tenant and question id.
    """
    whole = rows(frozen, name)
    remaining = [
        DataSetQuestion.model_validate(
            {**row, "question": texts[row["tenant"], row["question_id"]]}
        )
        for row in without_deleted(whole, chunk_ids)
    ]
    return RemainingQuestions(remaining, len(whole))


def judged_passages(frozen: FrozenDataSet, names: Iterable[str]) -> frozenset[str]:
    """The ids of the passages that anybody said anything of."""
    return frozenset(
        shown["chunk_id"]
        for name in names
        for row in rows(frozen, name)
        for shown in row["shown"]
        if shown["label"] is not None
    )
