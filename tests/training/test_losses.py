"""The losses, against numbers worked out by hand and against torch's own."""

from math import exp, log

import pytest
import torch
from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig
from gyre_trainer.recipes.query_encoder.examples import Batch, TrainingExample
from gyre_trainer.recipes.query_encoder.loss import log_likelihood, soft_cross_entropy, step_loss

# Cosines 1, 0 and -1 at temperature 1: the probabilities are e, 1 and 1/e over their sum.
SUM = exp(1) + 1 + exp(-1)
QUESTION = torch.tensor([[1.0, 0.0]])
PASSAGES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])


def test_the_likelihood_is_a_softmax_of_cosines_over_all_passages() -> None:
    log_probabilities = log_likelihood(QUESTION, PASSAGES, temperature=1.0)
    assert log_probabilities.exp().tolist()[0] == pytest.approx(
        [exp(1) / SUM, 1 / SUM, exp(-1) / SUM]
    )


def test_a_lower_temperature_sharpens_and_the_other_leg_is_added_to_the_cosine() -> None:
    beside = torch.tensor([[0.0, 1.0, 0.0]])
    log_probabilities = log_likelihood(QUESTION, PASSAGES, temperature=0.5, beside=beside).exp()
    whole = 2 * exp(2) + exp(-2)
    assert log_probabilities.tolist()[0] == pytest.approx(
        [exp(2) / whole, exp(2) / whole, exp(-2) / whole]
    )


def test_without_robustness_the_loss_is_cross_entropy_with_soft_targets() -> None:
    log_probabilities = log_likelihood(QUESTION, PASSAGES, temperature=1.0)
    targets = torch.tensor([[0.75, 0.25, 0.0]])
    loss = soft_cross_entropy(log_probabilities, targets, robustness=0)
    assert loss.item() == pytest.approx(0.75 * (log(SUM) - 1) + 0.25 * log(SUM))
    reference = torch.nn.functional.cross_entropy(QUESTION @ PASSAGES.T, targets)
    assert loss.item() == pytest.approx(reference.item())


def test_what_repeats_a_wanted_passage_takes_no_part() -> None:
    config = QueryEncoderConfig(temperature=1.0, robustness=0)

    def loss(passages: torch.Tensor, *repeats: int) -> float:
        example = TrainingExample("tea?", {0: 1.0}, repeats=frozenset(repeats))
        batch = Batch([example], [], question_total=1, rehearsal_total=0)
        return step_loss(QUESTION, QUESTION[:0], batch, passages, config).item()

    twice = torch.cat([PASSAGES, PASSAGES[:1]])
    assert loss(twice, 3) == pytest.approx(loss(PASSAGES), abs=1e-3)
    assert loss(twice) > loss(PASSAGES) + 0.1


def test_robust_loss_is_the_generalized_cross_entropy() -> None:
    log_probabilities = torch.log(torch.tensor([[0.49, 0.51]]))
    targets = torch.tensor([[1.0, 0.0]])
    half = soft_cross_entropy(log_probabilities, targets, robustness=0.5)
    assert half.item() == pytest.approx((1 - 0.7) / 0.5)
    whole = soft_cross_entropy(log_probabilities, targets, robustness=1.0)
    assert whole.item() == pytest.approx(0.51)
    little = soft_cross_entropy(log_probabilities, targets, robustness=1e-4)
    assert little.item() == pytest.approx(-log(0.49), rel=1e-3)


def test_a_label_that_the_model_finds_implausible_pulls_less_under_the_robust_loss() -> None:
    def pull(probability: float, robustness: float) -> float:
        logit = torch.tensor([[log(probability / (1 - probability)), 0.0]], requires_grad=True)
        log_probabilities = torch.log_softmax(logit, dim=1)
        soft_cross_entropy(
            log_probabilities, torch.tensor([[1.0, 0.0]]), robustness=robustness
        ).backward()
        assert logit.grad is not None
        return abs(float(logit.grad[0, 0]))

    # d/dlogit of (1 - p^q) / q is p^q (1 - p): at p = 0.01 the factor is 0.01^0.5 = 0.1.
    assert pull(0.01, 0.5) == pytest.approx(0.1 * 0.99, rel=1e-4)
    assert pull(0.01, 0.0) == pytest.approx(0.99, rel=1e-4)
