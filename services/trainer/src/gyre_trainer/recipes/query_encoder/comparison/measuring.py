"""From what both sides retrieved to a report: fits the weights, compares, decides. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gyre_common.errors import GyreError
from gyre_common.events.event import now
from gyre_common.events.releases import Roles
from gyre_common.fusion import Fusion
from gyre_common.retrieval_settings import retrieval_settings

from gyre_trainer.data_sets import profile_named
from gyre_trainer.recipes.query_encoder.comparison.decision import decide
from gyre_trainer.recipes.query_encoder.comparison.questions import GateQuestion
from gyre_trainer.recipes.query_encoder.comparison.ranking import Legs, Weights
from gyre_trainer.recipes.query_encoder.comparison.refit import refit
from gyre_trainer.recipes.query_encoder.comparison.report import (
    GateReport,
    Mixture,
    Pair,
    Rule,
    summary_of,
)
from gyre_trainer.recipes.query_encoder.comparison.slices import (
    SideRankings,
    compare,
    judged_in_top,
)
from gyre_trainer.runs.folder import RunSpec


class OrderDiffers(GyreError):
    """Fusing raw scores again does not give the order of the retriever: nothing can be measured."""


@dataclass(frozen=True)
class ComparisonQuestions:
    """The questions that choose the weights, those that judge, and how many of these were left out
    because nothing good is known for them (any more).
    """

    validation: Sequence[GateQuestion]
    held_out: Sequence[GateQuestion]
    left_out: int

    @property
    def all(self) -> list[GateQuestion]:
        """Of both kinds."""
        return [*self.validation, *self.held_out]


@dataclass(frozen=True)
class RetrievedLegs:
    """Every question's legs, by live's encoder and by the candidate's."""

    live: Mapping[str, Legs]
    candidate: Mapping[str, Legs]


def measure(
    spec: RunSpec, data_set: str, questions: ComparisonQuestions, retrieved: RetrievedLegs
) -> GateReport:
    """The report. Raises OrderDiffers when the retriever fuses in another way than is done here."""
    recipe = retrieval_settings(spec.live[Roles.RETRIEVAL])
    own = Weights(bm25=recipe.bm25_weight, dense=recipe.dense_weight)
    summed = recipe.fusion is Fusion.WEIGHTED_SUM
    checked = check_orders(retrieved.live, own) if summed else 0
    before = {
        one.question_id: retrieved.live[one.question_id].order for one in questions.validation
    }
    live_again, _ = refit(questions.validation, retrieved.live, own, before)
    fitted, validated = refit(questions.validation, retrieved.candidate, own, before)
    sides = SideRankings(
        live={one.question_id: retrieved.live[one.question_id].order for one in questions.held_out},
        live_refitted=_ranked(questions.held_out, retrieved.live, live_again),
        candidate=_ranked(questions.held_out, retrieved.candidate, fitted),
    )
    rule = Rule(least=profile_named(spec.profile).slice_questions)
    slices = compare(questions.held_out, sides, rule)
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
        live_weights=_mixture(own) if summed else None,
        live_refitted_weights=_mixture(live_again),
        candidate_weights=_mixture(fitted),
        validation_questions=len(questions.validation),
        validation_ndcg=validated,
        without_good=questions.left_out,
        slices=tuple(slices.values()),
        judged_in_top={
            "live": judged_in_top(questions.held_out, sides.live),
            "candidate": judged_in_top(questions.held_out, sides.candidate),
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


def _ranked(
    questions: Sequence[GateQuestion], legs_by_question: Mapping[str, Legs], weights: Weights
) -> dict[str, Sequence[str]]:
    return {one.question_id: legs_by_question[one.question_id].ranked(weights) for one in questions}


def _mixture(weights: Weights) -> Mixture:
    return Mixture(bm25=weights.bm25, dense=weights.dense)
