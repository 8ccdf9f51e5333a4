"""A training whose loss leads nowhere ends with a sentence that says so."""

import math

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_trainer.training.divergence import check_loss


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_it_at_once(loss: float) -> None:
    with pytest.raises(FailedPrecondition, match=r"the loss is .* at step 2 of 9: lower the"):
        check_loss([2.0, loss], 9)


def test_a_finite_loss_that_grows_ends_it_once_five_steps_say_so() -> None:
    grown = [2.0] * 5 + [7.0] * 5
    check_loss(grown[:-1], 30)
    with pytest.raises(FailedPrecondition, match=r"was 2 and is 7 at step 10 of 30"):
        check_loss(grown, 30)


@pytest.mark.parametrize(
    "losses",
    [
        [2.0] * 9 + [20.0],  # one batch that is hard
        [2.0] * 5 + [5.9] * 20,
        [0.001] * 5 + [0.5] * 20,  # as GRPO's, which begins at nothing
        [-0.2] * 5 + [0.5] * 20,
        [3.0, 2.0, 1.0],
    ],
)
def test_other_losses_do_not(losses: list[float]) -> None:
    check_loss(losses, 30)
