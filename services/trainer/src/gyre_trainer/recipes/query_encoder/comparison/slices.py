"""Measures one slice after the other: live, live with its weights refitted, and the candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gyre_trainer.recipes.query_encoder.comparison.decision import needed
from gyre_trainer.recipes.query_encoder.comparison.ndcg import DEPTH, ndcg
from gyre_trainer.recipes.query_encoder.comparison.questions import GateQuestion
from gyre_trainer.recipes.query_encoder.comparison.ranking import Ranking
from gyre_trainer.recipes.query_encoder.comparison.report import MeasuredSlice, Rule, SliceName
from gyre_trainer.training.bootstrap import paired

Rankings = Mapping[str, Ranking]
"""By question id."""


@dataclass(frozen=True)
class SideRankings:
    """What is compared."""

    live: Rankings
    live_refitted: Rankings
    candidate: Rankings


def compare(
    questions: Sequence[GateQuestion], sides: SideRankings, rule: Rule
) -> dict[SliceName, MeasuredSlice]:
    """Every slice, also those without questions."""
    members = {
        SliceName.OVERALL: list(questions),
        SliceName.VOTED: [question for question in questions if not question.new],
        SliceName.NEW: [question for question in questions if question.new],
    }
    return {
        name: _measure(name, slice_questions, sides, rule)
        for name, slice_questions in members.items()
    }


def judged_in_top(questions: Sequence[GateQuestion], rankings: Rankings) -> float:
    """The share of the first ten passages that somebody has judged."""
    judged = shown = 0
    for question in questions:
        top = rankings[question.question_id][:DEPTH]
        shown += len(top)
        judged += sum(chunk_id in question.grades for chunk_id in top)
    return judged / shown if shown else 0.0


def _measure(
    name: SliceName, questions: Sequence[GateQuestion], sides: SideRankings, rule: Rule
) -> MeasuredSlice:
    clusters = [question.cluster for question in questions]
    bare = MeasuredSlice(name=name, questions=len(questions), clusters=len(set(clusters)))
    if not questions:
        return bare.model_copy(update={"needed": needed(bare, rule)})
    weights = [question.weight for question in questions]
    live, refitted, candidate = (
        np.array(ndcg(questions, rankings))
        for rankings in (sides.live, sides.live_refitted, sides.candidate)
    )
    interval = paired((candidate - live).tolist(), weights, clusters)
    measured = bare.model_copy(
        update={
            "effective": round(interval.effective, 1),
            "live": float(np.average(live, weights=weights)),
            "live_refitted": float(np.average(refitted, weights=weights)),
            "candidate": float(np.average(candidate, weights=weights)),
            "difference": interval.difference,
            "low": interval.low,
            "high": interval.high,
            "one_sided_low": interval.one_sided_low,
            "spread": interval.spread,
            "over_refitted": float(np.average(candidate - refitted, weights=weights)),
        }
    )
    return measured.model_copy(update={"needed": needed(measured, rule)})
