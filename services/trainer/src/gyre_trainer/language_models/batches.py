"""Which samples a step learns from, and how they are packed: side by side, unseen by each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from gyre_common.errors import FailedPrecondition
from torch import Tensor

from gyre_trainer.language_models.attention import AttentionSpan
from gyre_trainer.language_models.chat import Chat, ChatTokenizer
from gyre_trainer.language_models.config import LanguageModelConfig
from gyre_trainer.language_models.inputs import Sample


@dataclass(frozen=True)
class TokenizedSample:
    """The last `completion` of `ids` are learned, each with the sample's `weight`. `others` are
    further completions of the same prompt, each read in place of the first.
    """

    ids: tuple[int, ...]
    completion: int
    weight: float = 1.0
    others: tuple[tuple[int, ...], ...] = ()

    @property
    def prompt(self) -> tuple[int, ...]:
        """What comes before a completion."""
        return self.ids[: len(self.ids) - self.completion]

    @property
    def length(self) -> int:
        """Tokens that a pack has of it: the prompt once, and every completion."""
        return len(self.ids) + sum(map(len, self.others))


S = TypeVar("S", bound=TokenizedSample)


@dataclass(frozen=True)
class Tokenized:
    """What is learned from, and what each was made of; how many lost a part of a passage, and how
    many do not fit at all.
    """

    samples: Sequence[TokenizedSample]
    sources: Sequence[Sample]
    cut: int
    left_out: int


def tokenized(
    samples: Sequence[Sample], chats: ChatTokenizer, config: LanguageModelConfig
) -> Tokenized:
    """The samples as the model reads them, in their order. Of a pair the chosen answer is the
    completion, the rejected one the other.
    """
    fitting, sources, cut = [], [], 0
    for sample in samples:
        others = (sample.rejected,) if sample.rejected else ()
        chat = Chat(sample.system, sample.user, sample.answer, sample.passages, others)
        tokens = chats.tokenize(chat, longest=config.longest)
        if tokens is not None:
            weight = sample.row.weight
            fitting.append(TokenizedSample(tokens.ids, tokens.completion, weight, tokens.others))
            sources.append(sample)
            cut += tokens.was_cut
    return Tokenized(fitting, sources, cut, len(samples) - len(fitting))


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

    `ids` and `positions`, which begin anew with each sample, are (1, tokens); `spans` tell where
    each sample lies, which is what a token may look at: itself and what is before, within its
    sample, but not another completion. `at` are the places whose next token is learned, `targets`
    these tokens, `weights` what each counts, and `completions` the number of the completion that it
    belongs to: sample by sample, a sample's `others` after its first.
    """

    ids: Tensor
    positions: Tensor
    spans: tuple[AttentionSpan, ...]
    at: Tensor
    targets: Tensor
    weights: Tensor
    completions: Tensor

    def to(self, device: torch.device) -> "Pack":
        """The same on another device."""
        tensors = {n: v.to(device) for n, v in vars(self).items() if isinstance(v, Tensor)}
        return Pack(**{**vars(self), **tensors})


def pack(samples: Sequence[TokenizedSample]) -> Pack:
    """One row of these samples. Where there are none it is one token, of which nothing is learned:
    a process without a share takes part.
    """
    ids: list[int] = []
    positions: list[int] = []
    spans: list[AttentionSpan] = []
    learned: list[tuple[int, int, float, int]] = []
    number = 0
    for sample in samples or [TokenizedSample(ids=(0,), completion=0)]:
        prompt, begin = sample.prompt, len(ids)
        ids += prompt
        positions += range(len(prompt))
        ends = []
        for tokens in (sample.ids[len(prompt) :], *sample.others):
            start = len(ids)
            places = (begin + len(prompt) - 1, *range(start, start + len(tokens) - 1))
            pairs = zip(places, tokens, strict=False)
            learned += [(place, token, sample.weight, number) for place, token in pairs]
            number += 1
            ids += tokens
            positions += range(len(prompt), len(prompt) + len(tokens))
            ends.append(len(ids))
        spans.append(AttentionSpan(begin, begin + len(prompt), tuple(ends)))
    at, targets, weights, completions = zip(*learned, strict=True) if learned else ((),) * 4
    return Pack(
        ids=torch.tensor(ids).unsqueeze(0),
        positions=torch.tensor(positions).unsqueeze(0),
        spans=tuple(spans),
        at=torch.tensor(at, dtype=torch.long),
        targets=torch.tensor(targets, dtype=torch.long),
        weights=torch.tensor(weights, dtype=torch.float32),
        completions=torch.tensor(completions, dtype=torch.long),
    )


class Batches(Generic[S]):
    """The samples of each step, in an order that the seed decides, a new one for each epoch."""

    def __init__(self, samples: Sequence[S], config: LanguageModelConfig) -> None:
        self._samples = samples
        self._config = config
        self._steps_of_epoch = -(-len(samples) // config.batch)

    @property
    def steps(self) -> int:
        """How many there are in all epochs."""
        return self._steps_of_epoch * self._config.epochs

    def at(self, step: int) -> list[S]:
        """What a step learns from, in all processes together."""
        epoch, number = divmod(step, self._steps_of_epoch)
        order = np.random.default_rng((self._config.seed, epoch)).permutation(len(self._samples))
        chosen = order[number * self._config.batch : (number + 1) * self._config.batch]
        return [self._samples[each] for each in chosen]


def total_weight(samples: Sequence[TokenizedSample]) -> float:
    """Of all their completion tokens."""
    return sum(sample.weight * sample.completion for sample in samples)


def packed(samples: Sequence[S], *, tokens: int, rank: int = 0, ranks: int = 1) -> list[list[S]]:
    """The packs of one of `ranks` processes, as `packs_of` has them."""
    lengths = [sample.length for sample in samples]
    packs = packs_of(lengths, tokens=tokens, rank=rank, ranks=ranks)
    return [[samples[number] for number in each] for each in packs]


def packs_of(
    lengths: Sequence[int], *, tokens: int, rank: int = 0, ranks: int = 1
) -> list[list[int]]:
    """The numbers of the samples in each pack of one of `ranks` processes, at most so many tokens
    or one sample in each. All get as many packs; one may be empty. First fit decreasing: at most
    11/9 of the fewest packs and one more (Johnson 1973).
    """
    packs: list[list[int]] = []
    sizes: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda each: -lengths[each]):
        length = lengths[number]
        fits = (at for at, size in enumerate(sizes) if size + length <= tokens)
        place = next(fits, None)
        if place is None:
            packs.append([number])
            sizes.append(length)
        else:
            packs[place].append(number)
            sizes[place] += length
    packs += [[] for _ in range(-len(packs) % ranks)]
    return packs[rank::ranks]
