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
from gyre_trainer.recipes.query_encoder.comparison.slices import Sides, compare, judged_in_top
from gyre_trainer.runs.folder import RunSpec


class OrderDiffers(GyreError):
    """Fusing raw scores again does not give the order of the retriever: nothing can be measured."""


@dataclass(frozen=True)
class Asked:
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
class Found:
    """Every question's legs, by live's encoder and by the candidate's."""

    live: Mapping[str, Legs]
    candidate: Mapping[str, Legs]


def measure(spec: RunSpec, data_set: str, asked: Asked, found: Found) -> GateReport:
    """The report. Raises OrderDiffers when the retriever fuses in another way than is done here."""
    recipe = retrieval_settings(spec.live[Roles.RETRIEVAL])
    own = Weights(bm25=recipe.bm25_weight, dense=recipe.dense_weight)
    summed = recipe.fusion is Fusion.WEIGHTED_SUM
    checked = check_orders(found.live, own) if summed else 0
    before = {one.question_id: found.live[one.question_id].order for one in asked.validation}
    live_again, _ = refit(asked.validation, found.live, own, before)
    fitted, validated = refit(asked.validation, found.candidate, own, before)
    sides = Sides(
        live={one.question_id: found.live[one.question_id].order for one in asked.held_out},
        live_refitted=_ranked(asked.held_out, found.live, live_again),
        candidate=_ranked(asked.held_out, found.candidate, fitted),
    )
    rule = Rule(least=profile_named(spec.profile).slice_questions)
    slices = compare(asked.held_out, sides, rule)
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
        validation_questions=len(asked.validation),
        validation_ndcg=validated,
        without_good=asked.left_out,
        slices=tuple(slices.values()),
        judged_in_top={
            "live": judged_in_top(asked.held_out, sides.live),
            "candidate": judged_in_top(asked.held_out, sides.candidate),
        },
        orders_checked=checked,
        measured_at=now(),
    )


def check_orders(found: Mapping[str, Legs], weights: Weights) -> int:
    """How many replies were checked. Raises OrderDiffers at the first that cannot be made again."""
    for question_id, legs in found.items():
        if legs.ranked(weights) != legs.order:
            raise OrderDiffers(
                f"the retriever ranked question {question_id} in another order than its own raw "
                "scores give: trainer and retriever are of different versions; install one"
            )
    return len(found)


def _ranked(
    questions: Sequence[GateQuestion], found: Mapping[str, Legs], weights: Weights
) -> dict[str, Sequence[str]]:
    return {one.question_id: found[one.question_id].ranked(weights) for one in questions}


def _mixture(weights: Weights) -> Mixture:
    return Mixture(bm25=weights.bm25, dense=weights.dense)
