"""nDCG@10 over what was judged, by the library that the field measures with."""

from collections.abc import Mapping, Sequence

import ir_measures
from ir_measures import nDCG

from gyre_trainer.recipes.query_encoder.comparison.questions import GateQuestion
from gyre_trainer.recipes.query_encoder.comparison.ranking import Ranking

DEPTH = 10
MEASURE = nDCG(judged_only=True) @ DEPTH
"""Passages that nobody judged are taken out of the ranking first (condensed lists: Sakai 2007,
SIGIR), because people judged what the live ranking showed, and an unseen passage is not a bad one.
"""


def ndcg(questions: Sequence[GateQuestion], rankings: Mapping[str, Ranking]) -> list[float]:
    """nDCG@10 (0..1) of each question, in their order; 0 where no judged passage was found.

    Järvelin and Kekäläinen 2002, TOIS: gains are the grades, discounts log2(1 + rank).
    """
    judgements = [
        ir_measures.Qrel(question.question_id, chunk_id, grade)
        for question in questions
        for chunk_id, grade in question.grades.items()
    ]
    run = [
        ir_measures.ScoredDoc(question.question_id, chunk_id, float(-place))
        for question in questions
        for place, chunk_id in enumerate(rankings[question.question_id])
    ]
    values = {
        score.query_id: float(score.value)
        for score in ir_measures.iter_calc([MEASURE], judgements, run)
    }
    return [values.get(question.question_id, 0.0) for question in questions]
