"""What a judge learns: losses by hand, and rewards that do not see the answer beside them."""

import math
from pathlib import Path

import pytest
import torch
from gyre_common.errors import FailedPrecondition
from gyre_trainer.language_models.batches import TokenizedSample, pack
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.model import open_base
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig
from gyre_trainer.recipes.judge_reward.loss import reward_loss
from gyre_trainer.recipes.judge_reward.model import (
    TrainableReward,
    make_trainable,
    open_with_head,
    with_head,
)
from gyre_trainer.recipes.judge_reward.pairs import tokenized_pairs
from torch import Tensor
from transformers.models.cohere import CohereConfig

from tests.training.tiny_generators import judged_pairs


def loss_of(rewards: Tensor, *, wrong: float = 0.0, centering: float = 0.0) -> float:
    count = len(rewards)
    weights = torch.ones(count)
    share = torch.full((count,), wrong)
    return reward_loss(rewards, share, weights, count, centering=centering).item()


def test_the_loss_of_a_pair_is_the_surprise_at_what_people_prefer() -> None:
    rewards = torch.tensor([[math.log(3.0), 0.0], [2.0, 2.0]])
    assert loss_of(rewards) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    weighed = reward_loss(rewards, torch.zeros(2), torch.tensor([1.0, 0.5]), 1.5, centering=0)
    assert weighed.item() == pytest.approx((math.log(4 / 3) + 0.5 * math.log(2)) / 1.5)


def test_a_pair_that_may_be_the_wrong_way_round_wants_no_more_than_its_odds() -> None:
    rewards = torch.tensor([[math.log(3.0), 0.0]], requires_grad=True)
    loss = reward_loss(rewards, torch.tensor([0.25]), torch.ones(1), 1.0, centering=0)
    assert loss.item() == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    loss.backward()
    assert rewards.grad is not None
    assert rewards.grad.tolist()[0] == pytest.approx([0.0, 0.0], abs=1e-7)


def test_centering_pays_for_what_is_added_to_both_rewards() -> None:
    around_zero, far = torch.tensor([[1.0, -1.0]]), torch.tensor([[4.0, 2.0]])
    assert loss_of(around_zero, centering=0.01) == pytest.approx(loss_of(around_zero))
    assert loss_of(far) == pytest.approx(loss_of(around_zero))
    assert loss_of(far, centering=0.01) == pytest.approx(loss_of(far) + 0.01 * 36)


def test_trust_says_how_likely_a_pair_is_wrong_or_what_it_counts() -> None:
    assert JudgeRewardConfig().wrong_and_weight(0.8) == pytest.approx((0.1, 1.0))
    assert JudgeRewardConfig(label_smoothing=0.2).wrong_and_weight(0.8) == (0.2, 0.8)


@pytest.fixture(scope="module")
def model(tiny_language_model: Path) -> TrainableReward:
    """With a head that is not zero."""
    config = JudgeRewardConfig(variant="full", precision="single")
    network, _ = open_with_head(tiny_language_model, config, Variant.FULL)
    torch.manual_seed(0)
    torch.nn.init.normal_(network.score.weight)
    return make_trainable(network, config, Variant.FULL).eval()


def some(prompt: int, *completions: int, seed: int) -> TokenizedSample:
    generator = torch.Generator().manual_seed(seed)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, 200, (count,), generator=generator).tolist())

    prompt_ids, (first, *others) = tokens(prompt), [tokens(each) for each in completions]
    return TokenizedSample((*prompt_ids, *first), len(first), others=tuple(others))


def test_a_reward_is_the_same_whatever_stands_beside_it(model: TrainableReward) -> None:
    """And what transformers' own classifier gives the text alone."""
    pairs = [some(9, 3, 5, seed=1), some(20, 7, 2, seed=2)]
    with torch.no_grad():
        together = model(pack(pairs)).tolist()
        alone = [
            model.network(torch.tensor([[*pair.prompt, *answer]])).logits.item()
            for pair in pairs
            for answer in (pair.ids[len(pair.prompt) :], *pair.others)
        ]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len({round(each, 3) for each in together}) == 4


def test_every_reward_is_0_before_it_learns(tiny_language_model: Path) -> None:
    config = JudgeRewardConfig(precision="single")
    network, chats = open_with_head(tiny_language_model, config, Variant.LOW_RANK)
    model = make_trainable(network, config, Variant.LOW_RANK).eval()
    tokens = tokenized_pairs(judged_pairs()[:3], chats, config)
    assert model(pack(tokens.samples)).tolist() == [0.0] * 6
    learning = {name for name, each in model.named_parameters() if each.requires_grad}
    assert all("lora_" in name or "score" in name for name in learning)
    assert any("score" in name for name in learning)


def test_pairs_lose_passages_before_they_are_left_out(tiny_language_model: Path) -> None:
    config = JudgeRewardConfig(precision="single", longest=1536)
    _, chats = open_with_head(tiny_language_model, config, Variant.LOW_RANK)
    samples = judged_pairs()[:4]
    whole = tokenized_pairs(samples, chats, config)
    longest = max(each.length for each in whole.samples)
    assert (whole.cut, whole.left_out) == (0, 0)
    cut = tokenized_pairs(samples, chats, config.model_copy(update={"longest": longest - 20}))
    assert (cut.cut, cut.left_out) == (4, 0)
    none = tokenized_pairs(samples, chats, config.model_copy(update={"longest": 100}))
    assert (len(none.samples), none.left_out) == (0, 4)


def test_a_base_without_a_classifier_of_its_kind_is_told(tiny_language_model: Path) -> None:
    base, _ = open_base(tiny_language_model)
    base.config = CohereConfig(num_hidden_layers=1)
    with pytest.raises(FailedPrecondition, match="no reward model can be made"):
        with_head(base)
