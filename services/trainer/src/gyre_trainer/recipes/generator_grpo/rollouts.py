"""Answers that the model writes itself, a group to each question, and what they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from gyre_trainer.language_models.batches import Pack, Tokenized, TokenizedSample
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.language_models.model import TrainableGenerator
from gyre_trainer.recipes.generator_grpo.config import GeneratorGrpoConfig
from gyre_trainer.recipes.generator_grpo.loss import group_advantages
from gyre_trainer.recipes.generator_grpo.reward_model import AnswerRewards


@dataclass(frozen=True)
class SampledPrompt(TokenizedSample):
    """A prompt, and what it was made of; its completion is not used."""

    source: Sample = field(kw_only=True)


@dataclass(frozen=True)
class Group(TokenizedSample):
    """A prompt with the answers that were written to it, their rewards, and how much better than
    the group each is.
    """

    rewards: tuple[float, ...] = ()
    advantages: tuple[float, ...] = ()

    @property
    def answers(self) -> tuple[tuple[int, ...], ...]:
        """Token ids, in the order of a pack's completions."""
        return (self.ids[len(self.prompt) :], *self.others)


def questions_of(fit: Tokenized) -> list[SampledPrompt]:
    """Prompts with their sources, in the data set's order."""
    pairs = zip(fit.samples, fit.sources, strict=True)
    return [SampledPrompt(each.ids, each.completion, source=source) for each, source in pairs]


class Rollouts:
    """Lets the model write as it is now. Answers end with the token `end`, or at the longest that
    is set.
    """

    def __init__(
        self,
        model: TrainableGenerator,
        tokenizer: PreTrainedTokenizerFast,
        end: int,
        reward_model: AnswerRewards,
        config: GeneratorGrpoConfig,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._end = end
        self._reward_model = reward_model
        self._config = config

    def group(self, question: SampledPrompt) -> Group:
        """Answers to a question, drawn by torch's own random numbers."""
        answers = self._write(question.prompt)
        texts = [self._tokenizer.decode(each, skip_special_tokens=True) for each in answers]
        rewards = self._reward_model.rewards(question.source.asked, texts)
        advantages = group_advantages(torch.tensor([rewards]))[0].tolist()
        first, *others = answers
        return Group(
            ids=(*question.prompt, *first),
            completion=len(first),
            others=tuple(others),
            rewards=tuple(rewards),
            advantages=tuple(advantages),
        )

    def _write(self, prompt: Sequence[int]) -> list[tuple[int, ...]]:
        """Token by token, each as likely as the model finds it; the model is left as it was."""
        model = self._model
        was_training = model.training
        model.eval()
        ids = torch.tensor([prompt], device=next(model.parameters()).device)
        lower = model.compute is not torch.float32
        with torch.no_grad(), torch.autocast(ids.device.type, model.compute, enabled=lower):
            rows = model.network.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                repetition_penalty=1.0,
                num_return_sequences=self._config.group,
                max_new_tokens=self._config.completion_tokens,
                eos_token_id=self._end,
                pad_token_id=self._end,
            )
        model.train(was_training)
        return [self._until_end(row) for row in rows[:, len(prompt) :].tolist()]

    def _until_end(self, tokens: list[int]) -> tuple[int, ...]:
        ends = self._end in tokens
        return tuple(tokens[: tokens.index(self._end) + 1] if ends else tokens)


def token_log_probabilities(logits: Tensor, row: Pack) -> Tensor:
    """Shape (places,), in nats."""
    return -cross_entropy(logits.float(), row.targets, reduction="none")


def of_tokens(groups: Sequence[Group], answers: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The advantage of each learned token of a pack, and its weight where a step has so many
    answers: both (places,).
    """
    each = [
        (advantage, 1 / (len(answer) * answers), len(answer))
        for group in groups
        for answer, advantage in zip(group.answers, group.advantages, strict=True)
    ]
    lengths = torch.tensor([length for *_, length in each], dtype=torch.long)
    numbers = torch.tensor([numbers for *numbers, _ in each]).view(-1, 2)
    advantages, weights = numbers.repeat_interleave(lengths, dim=0).to(device).unbind(dim=1)
    return advantages, weights
