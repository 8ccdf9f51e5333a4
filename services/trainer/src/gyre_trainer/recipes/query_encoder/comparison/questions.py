"""The questions that a gate asks: what people said of which passage, and how likely they saw it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_WEIGHT = 10.0
"""No question counts more than so many times one whose good passage stood at the best rank."""

BEST = 10
"""The grade of a passage that is surely good."""


class ShownPassage(BaseModel):
    """One passage of a row of a data set: `label` is between -1 and 1, None when nobody spoke."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    chunk_id: str
    rank: int = Field(ge=1)
    propensity: float = Field(default=1.0, gt=0, le=1)
    label: float | None = Field(default=None, ge=-1, le=1)


class DataSetQuestion(BaseModel):
    """One row of `train.jsonl` or `gate.jsonl`, as far as a gate reads it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question_id: str
    tenant: str
    acl: tuple[str, ...] = ()
    question: str
    cluster: str
    part: Literal["fit", "validation", "gate"]
    held_out: bool = False
    shown: tuple[ShownPassage, ...]


@dataclass(frozen=True)
class GateQuestion:
    """A question with at least one good passage.

    `grades` maps each judged passage to 0 (bad, or passed over) to `BEST` (surely good).
    `new` tells that none of its good documents had a good vote in training. `chance` is the
    probability that it is here at all, that one of its good passages was shown and judged, relative
    to that of a question whose only good passage stood at the best rank.
    """

    question_id: str
    tenant: str
    acl: tuple[str, ...]
    text: str
    cluster: str
    new: bool
    grades: Mapping[str, int]
    chance: float

    @property
    def weight(self) -> float:
        """Inverse propensity (Horvitz and Thompson 1952), clipped, times how sure it is that
        anything here is good; `paired` normalises it.
        """
        return min(MOST_WEIGHT, 1.0 / self.chance) * max(self.grades.values()) / BEST


Judged = Mapping[int, float]
"""By rank, the probability that a passage shown there is judged, as counted in the data set."""


def gate_questions(rows: Iterable[DataSetQuestion], judged: Judged) -> list[GateQuestion]:
    """Those rows with a good passage: of the others nDCG says nothing."""
    questions = (_question(row, judged) for row in rows)
    return [question for question in questions if question is not None]


def _question(row: DataSetQuestion, judged: Judged) -> GateQuestion | None:
    grades = {p.chunk_id: grade_of(p.label) for p in row.shown if p.label is not None}
    good = [p for p in row.shown if grades.get(p.chunk_id, 0) > 0]
    if not good:
        return None
    best = max(judged.values(), default=1.0)
    missed = 1.0
    for passage in good:
        missed *= 1.0 - passage.propensity * judged.get(passage.rank, best / MOST_WEIGHT)
    return GateQuestion(
        question_id=row.question_id,
        tenant=row.tenant,
        acl=row.acl,
        text=row.question,
        cluster=row.cluster,
        new=row.held_out,
        grades=grades,
        chance=max(1.0 - missed, 1e-6) / best,
    )


def grade_of(label: float) -> int:
    """From 0, bad or passed over, to `BEST`; a label lies between -1 and 1."""
    return 0 if label <= 0 else max(1, round(BEST * label))
