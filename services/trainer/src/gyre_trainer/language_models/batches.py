"""Which samples a step learns from, and how they are packed: side by side, unseen by each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from gyre_common.errors import FailedPrecondition
from torch import Tensor

from gyre_trainer.language_models.chat import Chat, ChatTokenizer
from gyre_trainer.language_models.config import LanguageModelConfig
from gyre_trainer.language_models.inputs import Sample


@dataclass(frozen=True)
class TokenizedSample:
    """The last `completion` of `ids` are learned, each with the sample's `weight`."""

    ids: tuple[int, ...]
    completion: int
    weight: float = 1.0


@dataclass(frozen=True)
class Tokenized:
    """What is learned from; how many lost a part of a passage, and how many do not fit at all."""

    samples: Sequence[TokenizedSample]
    cut: int
    left_out: int


def tokenized(
    samples: Sequence[Sample], chats: ChatTokenizer, config: LanguageModelConfig
) -> Tokenized:
    """The samples as the model reads them, in their order."""
    fitting, cut = [], 0
    for sample in samples:
        chat = Chat(sample.system, sample.user, sample.answer, sample.passages)
        tokens = chats.tokenize(chat, longest=config.longest)
        if tokens is not None:
            fitting.append(TokenizedSample(tokens.ids, tokens.completion, sample.row.weight))
            cut += tokens.was_cut
    return Tokenized(fitting, cut, len(samples) - len(fitting))


def check_something_is_left(tokens: Tokenized) -> None:
    """Raises FailedPrecondition where there is nothing to learn from."""
    if not tokens.samples:
        raise FailedPrecondition(
            f"none of {tokens.left_out:,} samples is short enough to learn from: raise the setting "
            "longest"
        )


@dataclass(frozen=True)
class Pack:
    """Samples one after the other, as one row.

    `ids` and `positions`, which begin anew with each sample, are (1, tokens); `mask` is (1, 1,
    tokens, tokens), True where a token may look: at itself and before, within its sample. `at` are
    the places whose next token is learned, `targets` these tokens and `weights` what each counts.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    at: Tensor
    targets: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> "Pack":
        """The same on another device."""
        return Pack(**{name: value.to(device) for name, value in vars(self).items()})


def pack(samples: Sequence[TokenizedSample]) -> Pack:
    """One row of these samples. Where there are none it is one token, of which nothing is learned:
    a process without a share takes part.
    """
    samples = samples or [TokenizedSample(ids=(0,), completion=0)]
    lengths = torch.tensor([len(sample.ids) for sample in samples])
    numbers = torch.repeat_interleave(torch.arange(len(samples)), lengths)
    starts = torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
    ids = torch.tensor([token for sample in samples for token in sample.ids])
    places = torch.arange(len(ids))
    same_sample = numbers.unsqueeze(0) == numbers.unsqueeze(1)
    at: list[int] = []
    weights: list[float] = []
    end = 0
    for sample in samples:
        end += len(sample.ids)
        at += range(end - sample.completion - 1, end - 1)
        weights += [sample.weight] * sample.completion
    learned = torch.tensor(at, dtype=torch.long)
    return Pack(
        ids=ids.unsqueeze(0),
        positions=(places - starts).unsqueeze(0),
        mask=(same_sample & (places.unsqueeze(0) <= places.unsqueeze(1)))[None, None],
        at=learned,
        targets=ids[learned + 1],
        weights=torch.tensor(weights, dtype=torch.float32),
    )


class Batches:
    """The samples of each step, in an order that the seed decides, a new one for each epoch."""

    def __init__(self, samples: Sequence[TokenizedSample], config: LanguageModelConfig) -> None:
        self._samples = samples
        self._config = config
        self._steps_of_epoch = -(-len(samples) // config.batch)

    @property
    def steps(self) -> int:
        """How many there are in all epochs."""
        return self._steps_of_epoch * self._config.epochs

    def at(self, step: int) -> list[TokenizedSample]:
        """What a step learns from, in all processes together."""
        epoch, number = divmod(step, self._steps_of_epoch)
        order = np.random.default_rng((self._config.seed, epoch)).permutation(len(self._samples))
        chosen = order[number * self._config.batch : (number + 1) * self._config.batch]
        return [self._samples[each] for each in chosen]


def total_weight(samples: Sequence[TokenizedSample]) -> float:
    """Of all their completion tokens."""
    return sum(sample.weight * sample.completion for sample in samples)


def packed(
    samples: Sequence[TokenizedSample], *, tokens: int, rank: int = 0, ranks: int = 1
) -> list[list[TokenizedSample]]:
    """The packs of one of `ranks` processes, each of at most so many tokens, or of one sample. All
    get as many; a pack may be empty. First fit decreasing: at most 11/9 of the fewest packs and one
    more (Johnson 1973).
    """
    packs: list[list[TokenizedSample]] = []
    lengths: list[int] = []
    for sample in sorted(samples, key=lambda each: -len(each.ids)):
        size = len(sample.ids)
        fits = (at for at, length in enumerate(lengths) if length + size <= tokens)
        place = next(fits, None)
        if place is None:
            packs.append([sample])
            lengths.append(size)
        else:
            packs[place].append(sample)
            lengths[place] += size
    packs += [[] for _ in range(-len(packs) % ranks)]
    return packs[rank::ranks]
