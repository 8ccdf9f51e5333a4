"""The gate: pairs of which live and candidate say which answer people preferred."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gyre_common.events.event import now
from gyre_common.reward_input import METRIC

from gyre_trainer.data_sets.answer_freezing import PROFILES
from gyre_trainer.data_sets.answers import AnswerKind
from gyre_trainer.judge_calls import Scores
from gyre_trainer.language_models.gate import measured_slice, of_others
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.language_models.report import MeasuredSlice
from gyre_trainer.recipes.judge_reward.report import GateReport, SliceName, decide, summary_of
from gyre_trainer.runs.folder import RunSpec


@dataclass(frozen=True)
class ComparedPair:
    """A held-out pair, and whether each side tells it rightly: 1, 0, or 1/2 where it sees no
    difference.
    """

    sample: Sample
    live: float
    candidate: float


def compared(
    sample: Sample, *, live: tuple[Scores, Scores], candidate: tuple[Scores, Scores] | None
) -> ComparedPair:
    """Of a pair, each side with its scores of the better answer and of the worse one; a candidate
    that cannot read one has told nothing.
    """
    candidates = _accuracy_of(candidate) if candidate is not None else 0.0
    return ComparedPair(sample, live=_accuracy_of(live), candidate=candidates)


def total(scores: Scores) -> float:
    """The reward where there is one, else the mean of the metrics that apply; 0 without any."""
    values = [value for name, value in scores.items() if value is not None]
    reward = scores.get(METRIC)
    return reward if reward is not None else sum(values) / max(len(values), 1)


def _accuracy_of(pair: tuple[Scores, Scores]) -> float:
    better, worse = map(total, pair)
    return 0.5 if better == worse else float(better > worse)


def measure(
    spec: RunSpec,
    data_set: str,
    pairs: Sequence[ComparedPair],
    *,
    margin: float,
    left_out: Mapping[str, int],
) -> GateReport:
    """The report of all pairs; `margin` is how much a slice may lose, in points."""
    slices = slices_of(pairs)
    least = PROFILES[spec.profile].slice_questions
    verdict, reasons = decide(slices, least=least, margin=margin)
    return GateReport(
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
        left_out={reason: count for reason, count in left_out.items() if count},
        measured_at=now(),
    )


def slices_of(pairs: Sequence[ComparedPair]) -> tuple[MeasuredSlice, ...]:
    """Every slice, also those without pairs, but `other tenants`."""
    of: dict[SliceName, list[ComparedPair]] = {name: [] for name in SliceName}
    of[SliceName.OTHERS] = of_others(pairs, lambda pair: pair.sample.row.tenant)
    for pair in pairs:
        sample = pair.sample
        shorter = len(sample.answer) < len(sample.rejected)
        liked = sample.row.kind is AnswerKind.LIKED
        for name in (
            SliceName.OVERALL,
            SliceName.NEW if sample.row.held_out else SliceName.TAUGHT,
            SliceName.LIKED if liked else SliceName.CORRECTED,
            SliceName.SHORTER if shorter else SliceName.LONGER,
        ):
            of[name].append(pair)
    return tuple(
        measured_slice(
            name,
            live=[100 * pair.live for pair in those],
            candidate=[100 * pair.candidate for pair in those],
            weights=[pair.sample.row.weight for pair in those],
            clusters=[pair.sample.row.cluster for pair in those],
        )
        for name, those in of.items()
        if those or name is not SliceName.OTHERS
    )
