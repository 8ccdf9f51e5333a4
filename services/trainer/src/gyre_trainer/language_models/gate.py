"""The gate: answers of live and candidate beside what people wrote, question by question."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from gyre_common.events.event import EVERY_TENANT, now

from gyre_trainer.data_sets.answer_freezing import PROFILES
from gyre_trainer.data_sets.answers import declines
from gyre_trainer.data_sets.question_context import VersionAnswer
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.language_models.measures import Measured, measured
from gyre_trainer.language_models.report import (
    GateReport,
    MeasuredSlice,
    SliceName,
    decide,
    per_answer,
    summary_of,
)
from gyre_trainer.language_models.stopping import Look, reason_to_stop
from gyre_trainer.runs.folder import RunSpec
from gyre_trainer.training.bootstrap import ONE_LOOK, Tails, paired

T = TypeVar("T")


@dataclass(frozen=True)
class ComparedAnswer:
    """A held-out question with what both sides made of it."""

    tenant: str
    cluster: str
    weight: float
    is_new: bool
    golden: bool
    wants_answer: bool
    live: Measured
    candidate: Measured
    cost: Mapping[str, VersionAnswer]


def compared(sample: Sample, *, live: VersionAnswer, candidate: VersionAnswer) -> ComparedAnswer:
    """Both answers to one question, measured."""
    read = sample.asked.read
    before, after = (measured(each, sample.answer, read) for each in (live, candidate))
    return ComparedAnswer(
        tenant=sample.row.tenant,
        cluster=sample.row.cluster,
        weight=sample.row.weight,
        is_new=sample.row.held_out,
        golden=sample.row.golden,
        wants_answer=not declines(sample.answer),
        live=before,
        candidate=after,
        cost={"live": live, "candidate": candidate},
    )


def measure(
    spec: RunSpec,
    data_set: str,
    answers: Sequence[ComparedAnswer],
    look: Look,
    *,
    held_out: int,
    margin: float,
    left_out: Mapping[str, int],
) -> GateReport:
    """The report of the answers at a look, of so many that are held out; `margin` is how much a
    slice may lose, in points.
    """
    slices = slices_of(answers, look.tails)
    least = PROFILES[spec.profile].slice_questions
    verdict, reasons = decide(slices, least=least, margin=margin)
    stopped = reason_to_stop(verdict, slices, look, margin=margin)
    sides = {
        "live": [one.live for one in answers],
        "candidate": [one.candidate for one in answers],
    }
    report = GateReport(
        verdict=verdict,
        reasons=reasons,
        summary=summary_of(verdict, slices),
        run_id=str(spec.run_id),
        tenant=spec.tenant,
        profile=spec.profile,
        data_set=data_set,
        least=least,
        margin=margin,
        live=spec.live[spec.role].version,
        candidate=spec.version,
        slices=slices,
        about_others=about_others(spec, answers),
        asked=look.questions,
        held_out=held_out,
        stopped=stopped,
        words={
            side: _mean([each.words for each in those if each.words])
            for side, those in sides.items()
        },
        declined={side: _mean([each.declined for each in those]) for side, those in sides.items()},
        seconds={side: _mean([one.cost[side].seconds for one in answers]) for side in sides},
        tokens={
            side: _mean(
                [one.cost[side].prompt_tokens + one.cost[side].completion_tokens for one in answers]
            )
            for side in sides
        },
        left_out={reason: count for reason, count in left_out.items() if count},
        measured_at=now(),
    )
    summary = f"{report.summary}; {per_answer(report)}"
    if stopped:
        summary += f"; {look.questions} of {held_out} questions asked, {stopped}"
    return report.model_copy(update={"summary": summary})


def slices_of(
    answers: Sequence[ComparedAnswer], tails: Tails = ONE_LOOK
) -> tuple[MeasuredSlice, ...]:
    """Every slice, also those without questions, but `others` and `golden`."""
    golden = [one for one in answers if one.golden]
    answers = [one for one in answers if not one.golden]
    wanted = [one for one in answers if one.wants_answer]
    unwanted = [one for one in answers if not one.wants_answer]
    # Of either kind half, whatever their numbers; one kind alone has no balance.
    halves = {True: 0.5 / max(len(wanted), 1), False: 0.5 / max(len(unwanted), 1)}
    balanced = answers if wanted and unwanted else ()
    spoken = [one for one in answers if None not in (one.live.grounded, one.candidate.grounded)]
    citing = [one for one in answers if None not in (one.live.well_cited, one.candidate.well_cited)]
    others = of_others(answers, _tenant)
    new, taught = ([one for one in answers if one.is_new is new] for new in (True, False))
    return (
        _slice(SliceName.OVERALL, answers, _score, tails),
        _slice(SliceName.NEW, new, _score, tails),
        _slice(SliceName.TAUGHT, taught, _score, tails),
        *([_slice(SliceName.OTHERS, others, _score, tails)] if others else []),
        *([_slice(SliceName.GOLDEN, golden, _score, ONE_LOOK)] if golden else []),
        _slice(SliceName.ANSWERED, wanted, _score, tails),
        _slice(SliceName.TOKEN_F1, wanted, lambda one: one.token_f1, tails),
        _slice(SliceName.GROUNDED, spoken, lambda one: one.grounded or 0.0, tails),
        _slice(SliceName.SOURCES, citing, lambda one: one.well_cited or 0.0, tails),
        _slice(
            SliceName.DECLINING,
            [replace(one, weight=halves[one.wants_answer]) for one in balanced],
            lambda one: float(one.is_right),
            tails,
        ),
    )


def of_others(held_out: Sequence[T], tenant_of: Callable[[T], str]) -> list[T]:
    """What is held out of all tenants but the one that has most."""
    counts = Counter(map(tenant_of, held_out))
    most = min(counts, key=lambda tenant: (-counts[tenant], tenant), default="")
    return [one for one in held_out if tenant_of(one) != most]


def about_others(spec: RunSpec, answers: Sequence[ComparedAnswer]) -> str:
    """Why there is no slice of other tenants; nothing where there is one."""
    if spec.tenant != EVERY_TENANT:
        return "they keep what they have, the candidate is for this one alone"
    if not of_others([one for one in answers if not one.golden], _tenant):
        return "no answer of theirs is held out, so what they would lose is not known"
    return ""


def _tenant(one: ComparedAnswer) -> str:
    return one.tenant


def _score(one: Measured) -> float:
    return one.score


def _slice(
    name: SliceName,
    answers: Sequence[ComparedAnswer],
    value: Callable[[Measured], float],
    tails: Tails,
) -> MeasuredSlice:
    return measured_slice(
        name,
        live=[100 * value(one.live) for one in answers],
        candidate=[100 * value(one.candidate) for one in answers],
        weights=[one.weight for one in answers],
        clusters=[one.cluster for one in answers],
        tails=tails,
    )


def measured_slice(
    name: str,
    *,
    live: Sequence[float],
    candidate: Sequence[float],
    weights: Sequence[float],
    clusters: Sequence[str],
    tails: Tails = ONE_LOOK,
) -> MeasuredSlice:
    """What both sides have, in points, question by question."""
    empty = MeasuredSlice(name=name, questions=len(live), clusters=len(set(clusters)))
    if not live:
        return empty
    gain = paired(np.subtract(candidate, live), weights, clusters, tails)
    bounds = {
        "live": np.average(live, weights=weights),
        "candidate": np.average(candidate, weights=weights),
        "difference": gain.difference,
        "low": gain.low,
        "high": gain.high,
        "one_sided_low": gain.one_sided_low,
        "spread": gain.spread,
    }
    rounded = {key: round(float(bound), 4) for key, bound in bounds.items()}
    return empty.model_copy(update=rounded)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
