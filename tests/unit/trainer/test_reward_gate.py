"""The gate of a judge guards whom it reaches, and what a candidate cannot read is told wrongly."""

from gyre_common.events.training import Decision
from gyre_trainer.recipes.judge_reward.gate import ComparedPair, compared, slices_of
from gyre_trainer.recipes.judge_reward.report import decide

from tests.unit.trainer.answer_samples import a_sample


def a_pair(number: int, *, tenant: str = "acme", live: float, candidate: float) -> ComparedPair:
    sample = a_sample(answered=True)
    own = {"tenant": tenant, "cluster": f"{tenant}-{number}", "held_out": True}
    row = sample.row.model_copy(update=own)
    return ComparedPair(sample.model_copy(update={"row": row}), live=live, candidate=candidate)


def test_other_tenants_must_not_lose_by_what_the_largest_gains() -> None:
    gaining = [a_pair(n, live=0.0, candidate=1.0) for n in range(60)]
    losing = [a_pair(n, tenant="small", live=1.0, candidate=0.0) for n in range(30)]
    decision, reasons = decide(slices_of([*gaining, *losing]), least=10, margin=2.0)
    assert decision is Decision.REFUSED
    assert any(reason.startswith("a loss of other tenants: ") for reason in reasons)
    decision, reasons = decide(slices_of(gaining), least=10, margin=2.0)
    assert (decision, reasons) == (Decision.PASSED, ())
    assert "other tenants" not in [each.name for each in slices_of(gaining)]


def test_a_pair_that_the_candidate_cannot_read_is_told_wrongly() -> None:
    sample = a_sample(answered=True)
    scores = ({"reward": 0.9}, {"reward": 0.1})
    pair = compared(sample, live=scores, candidate=None)
    assert (pair.live, pair.candidate) == (1.0, 0.0)
