"""The gate: a candidate needs a gain overall and no loss on documents that nobody voted on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from gyre_common.errors import GyreError
from gyre_common.events.event import now
from gyre_common.events.releases import Roles
from gyre_common.events.training import Decision
from gyre_common.fusion import Fusion
from gyre_common.retrieval_settings import retrieval_settings

from gyre_trainer.data_sets.profiles import profile_named
from gyre_trainer.recipes.query_encoder.ranking import (
    DEPTH,
    GateQuestion,
    Legs,
    Rankings,
    ndcg,
    rankings,
    refit,
)
from gyre_trainer.recipes.query_encoder.report import (
    GateReport,
    MeasuredSlice,
    Pair,
    Rule,
    SliceName,
    Weights,
    interval,
    signed,
    summary_of,
)
from gyre_trainer.runs.folder import RunSpec
from gyre_trainer.training.bootstrap import ONE_SIDED, paired

_TWO_SIDED, _POWER = 1.960, 0.842
"""Normal quantiles of 97.5 % and 80 %."""


class OrderDiffers(GyreError):
    """Fusing raw scores again does not give the order of the retriever: nothing can be measured."""


@dataclass(frozen=True)
class ComparisonQuestions:
    """`validation` chooses the weights; `left_out` have nothing good that is still known."""

    validation: Sequence[GateQuestion]
    held_out: Sequence[GateQuestion]
    left_out: int


def measure(
    spec: RunSpec,
    data_set: str,
    questions: ComparisonQuestions,
    *,
    live: Mapping[str, Legs],
    candidate: Mapping[str, Legs],
) -> GateReport:
    """`live` and `candidate` are by question id. Raises OrderDiffers as `check_orders` does."""
    settings = retrieval_settings(spec.live[Roles.RETRIEVAL])
    own = Weights(bm25=settings.bm25_weight, dense=settings.dense_weight)
    summed = settings.fusion is Fusion.WEIGHTED_SUM
    checked = check_orders(live, own) if summed else 0
    orders = {question_id: legs.order for question_id, legs in live.items()}
    live_refitted, _ = refit(questions.validation, live, own, orders)
    fitted, validated = refit(questions.validation, candidate, own, orders)
    held_out = questions.held_out
    candidate_rankings = rankings(held_out, candidate, fitted)
    rule = Rule(least=profile_named(spec.profile).slice_questions)
    slices = measure_slices(
        held_out,
        rule,
        live=orders,
        live_refitted=rankings(held_out, live, live_refitted),
        candidate=candidate_rankings,
    )
    verdict, reasons = decide(slices, rule)
    return GateReport(
        verdict=verdict,
        reasons=reasons,
        summary=summary_of(verdict, slices),
        run_id=str(spec.run_id),
        tenant=spec.tenant,
        profile=spec.profile,
        data_set=data_set,
        rule=rule,
        query_encoder=Pair(live=spec.live[Roles.QUERY_ENCODER].version, candidate=spec.version),
        retrieval_live=spec.live[Roles.RETRIEVAL].version,
        document_encoder=spec.live[Roles.DOCUMENT_ENCODER].version,
        live_weights=own if summed else None,
        live_refitted_weights=live_refitted,
        candidate_weights=fitted,
        validation_questions=len(questions.validation),
        validation_ndcg=validated,
        without_good=questions.left_out,
        slices=tuple(slices.values()),
        judged_in_top={
            "live": judged_in_top(held_out, orders),
            "candidate": judged_in_top(held_out, candidate_rankings),
        },
        orders_checked=checked,
        measured_at=now(),
    )


def check_orders(legs_by_question: Mapping[str, Legs], weights: Weights) -> int:
    """How many replies were checked. Raises OrderDiffers at the first that cannot be made again."""
    for question_id, legs in legs_by_question.items():
        if legs.ranked(weights) != legs.order:
            raise OrderDiffers(
                f"the retriever ranked question {question_id} in another order than its own raw "
                "scores give: trainer and retriever are of different versions; install one"
            )
    return len(legs_by_question)


def judged_in_top(questions: Sequence[GateQuestion], rankings: Rankings) -> float:
    """The share of the first ten passages that somebody has judged."""
    judged = [
        chunk_id in question.grades
        for question in questions
        for chunk_id in rankings[question.question_id][:DEPTH]
    ]
    return sum(judged) / len(judged) if judged else 0.0


def measure_slices(
    questions: Sequence[GateQuestion],
    rule: Rule,
    *,
    live: Rankings,
    live_refitted: Rankings,
    candidate: Rankings,
) -> dict[SliceName, MeasuredSlice]:
    """Every slice, also those without questions."""
    slices = {}
    for name in SliceName:
        members = [
            question
            for question in questions
            if name is SliceName.OVERALL or question.new is (name is SliceName.NEW)
        ]
        clusters = [question.cluster for question in members]
        measured = MeasuredSlice(name=name, questions=len(members), clusters=len(set(clusters)))
        if members:
            weights = [question.weight for question in members]
            before, refitted, after = (
                np.array(ndcg(members, side)) for side in (live, live_refitted, candidate)
            )
            estimate = paired(after - before, weights, clusters)
            update = {
                **asdict(estimate),
                "effective": round(estimate.effective, 1),
                "live": float(np.average(before, weights=weights)),
                "live_refitted": float(np.average(refitted, weights=weights)),
                "candidate": float(np.average(after, weights=weights)),
                "over_refitted": float(np.average(after - refitted, weights=weights)),
            }
            measured = measured.model_copy(update=update)
        slices[name] = measured.model_copy(update={"needed": needed(measured, rule)})
    return slices


def needed(one: MeasuredSlice, rule: Rule) -> int | None:
    """How many questions that differ would settle this slice in 4 of 5 cases, were it as it seems:
    the spread of a mean falls with the root of their number. None where it is settled.
    """
    least = rule.least if one.name is not SliceName.OVERALL else 1
    if one.difference is None or not one.spread:
        return least if one.clusters < least else None
    clusters = one.clusters
    if one.name is SliceName.OVERALL and one.low is not None and one.low <= 0 < one.difference:
        spreads = (_TWO_SIDED + _POWER) * one.spread / one.difference
        clusters = math.ceil(one.clusters * spreads**2)
    room = one.difference + rule.margin
    unproved = one.one_sided_low is not None and one.one_sided_low <= -rule.margin
    if one.name is SliceName.NEW and unproved and room > 0:
        clusters = math.ceil(one.clusters * ((ONE_SIDED + _POWER) * one.spread / room) ** 2)
    clusters = max(clusters, least)
    return clusters if clusters > one.clusters else None


def decide(
    slices: Mapping[SliceName, MeasuredSlice], rule: Rule
) -> tuple[Decision, tuple[str, ...]]:
    """The verdict, and a sentence for each thing that speaks against the candidate."""
    overall, new = slices[SliceName.OVERALL], slices[SliceName.NEW]
    against: list[str] = []
    unclear = [
        f"the slice `{one.name}` has {one.clusters} different questions of the {rule.least} that "
        "are needed to tell"
        for one in (slices[SliceName.VOTED], new)
        if one.clusters < rule.least
    ]
    if overall.difference is not None and overall.low is not None and overall.low <= 0:
        if overall.difference <= 0:
            against.append(f"no gain overall: {interval(overall)}")
        else:
            unclear.append(f"the gain overall may be chance: {interval(overall)}{_more(overall)}")
    if (
        new.difference is not None
        and new.one_sided_low is not None
        and new.one_sided_low <= -rule.margin
    ):
        if new.difference <= -rule.margin:
            against.append(f"a loss on documents nobody voted on: {interval(new)}")
        else:
            unclear.append(
                f"a loss of more than {100 * rule.margin:.1f} on documents nobody voted on cannot "
                f"be ruled out: {signed(new.difference)}, the one-sided 95 % bound is "
                f"{signed(new.one_sided_low)}{_more(new)}"
            )
    if against:
        return Decision.REFUSED, (*against, *unclear)
    return (Decision.TOO_SMALL, tuple(unclear)) if unclear else (Decision.PASSED, ())


def _more(one: MeasuredSlice) -> str:
    return f"; about {one.needed} different questions would tell" if one.needed else ""
