"""Pairs as tokens and tensors, and how well the model tells those that it does not learn from."""

from collections.abc import Sequence

import torch
from gyre_common.errors import FailedPrecondition
from gyre_common.reward_input import reward_tokens
from torch import Tensor

from gyre_trainer.language_models.batches import Tokenized, TokenizedSample, pack, packs_of
from gyre_trainer.language_models.chat import ChatTokenizer
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.language_models.result import Losses
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig
from gyre_trainer.recipes.judge_reward.loss import reward_loss
from gyre_trainer.recipes.judge_reward.model import TrainableReward
from gyre_trainer.training.workers import Workers


def tokenized_pairs(
    samples: Sequence[Sample], chats: ChatTokenizer, config: JudgeRewardConfig
) -> Tokenized:
    """The pairs as a judge reads them, in their order: the chosen answer is the completion, the
    rejected one the other.
    """
    frame, fitting, sources, cut = chats.frame(config.longest), [], [], 0
    for sample in samples:
        try:
            tokens = reward_tokens(
                chats.plain,
                frame,
                question=sample.asked.question,
                passages=[each.text for each in sample.asked.read],
                answers=(sample.answer, sample.rejected),
            )
        except FailedPrecondition:  # it is counted as left out
            continue
        chosen, rejected = tokens.completions
        ids = (*tokens.prompt, *chosen)
        fitting.append(TokenizedSample(ids, len(chosen), sample.row.weight, (rejected,)))
        sources.append(sample)
        cut += tokens.was_cut
    return Tokenized(fitting, sources, cut, len(samples) - len(fitting))


def pair_tensors(
    pairs: Sequence[TokenizedSample], config: JudgeRewardConfig, device: torch.device
) -> tuple[Tensor, Tensor]:
    """How likely each pair is the wrong way round, and its weight, both (pairs,)."""
    of_pairs = torch.tensor([config.wrong_and_weight(pair.weight) for pair in pairs], device=device)
    wrong, weights = of_pairs.view(-1, 2).unbind(dim=1)
    return wrong, weights


def rewards_of(
    model: TrainableReward,
    pairs: Sequence[TokenizedSample],
    config: JudgeRewardConfig,
    workers: Workers,
) -> Tensor:
    """Shape (pairs, 2), all processes together; nothing is learned, and the model is left as it
    was.
    """
    lengths = [pair.length for pair in pairs]
    packs = packs_of(lengths, tokens=config.packed_tokens, rank=workers.rank, ranks=workers.count)
    own = [0.0] * (2 * len(pairs))
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for numbers in packs:
            row = pack([pairs[number] for number in numbers]).to(workers.device)
            values = model(row)[: 2 * len(numbers)].view(-1, 2).tolist()
            for number, both in zip(numbers, values, strict=True):
                own[2 * number : 2 * number + 2] = both
    model.train(was_training)
    return torch.tensor(workers.sum(own)).view(-1, 2)


def validation_losses(
    model: TrainableReward,
    pairs: Sequence[TokenizedSample],
    config: JudgeRewardConfig,
    workers: Workers,
) -> Losses:
    """The mean loss of pairs that the model does not learn from: without any reward, and by the
    model. All processes take part.
    """
    rewards = rewards_of(model, pairs, config, workers)
    if not pairs:
        return Losses(before=None, after=None, questions=0)
    wrong, weights = pair_tensors(pairs, config, torch.device("cpu"))
    before, after = (
        reward_loss(each, wrong, weights, weights.sum().item(), centering=config.centering).item()
        for each in (torch.zeros_like(rewards), rewards)
    )
    return Losses(before=before, after=after, questions=len(pairs))
