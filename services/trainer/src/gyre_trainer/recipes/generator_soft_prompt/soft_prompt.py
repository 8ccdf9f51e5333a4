"""Virtual tokens: vectors that are learned, in the place of tokens that the model has no use for.

Prompt tuning, Lester et al. 2021, arXiv:2104.08691. No engine that serves models takes such vectors
beside a prompt, so they become rows of the embeddings: of special tokens that the vocabulary holds
in reserve. The chat template begins with these tokens, and no text can make them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from gyre_common.errors import FailedPrecondition
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import embedding
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from gyre_trainer.language_models.model import TrainableGenerator

_FILE, _ROWS, _TOKENS = "soft_prompt.safetensors", "rows", "tokens"


@dataclass(frozen=True)
class SoftPrompt:
    """`rows` (virtual tokens, hidden size) are the embeddings of `tokens`, of the vocabulary."""

    tokens: tuple[int, ...]
    rows: Tensor

    @classmethod
    def load(cls, folder: Path) -> "SoftPrompt":
        """Raises OSError."""
        with safe_open(folder / _FILE, framework="pt") as file:
            return cls(tuple(file.get_tensor(_TOKENS).tolist()), file.get_tensor(_ROWS))


class SoftEmbedding(nn.Module):
    """A model's embeddings, of which the rows of some tokens learn."""

    tokens: Tensor

    def __init__(self, words: nn.Embedding, soft: SoftPrompt) -> None:
        super().__init__()
        self.words = words
        self.rows = nn.Parameter(soft.rows.detach().float().clone())
        self.register_buffer("tokens", torch.tensor(soft.tokens), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Shapes: `ids` (rows, tokens), returns (rows, tokens, hidden size)."""
        vectors: Tensor = self.words(ids)
        same = ids.unsqueeze(-1) == self.tokens
        learned = embedding(same.int().argmax(-1), self.rows).to(vectors.dtype)
        return torch.where(same.any(-1, keepdim=True), learned, vectors)


def reserve_tokens(tokenizer: PreTrainedTokenizerFast, count: int) -> tuple[int, ...]:
    """The first special tokens that neither the tokenizer nor the chat template has a use for; the
    template begins with them from now on. Raises FailedPrecondition where they are too few.
    """
    named = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token}
    template = str(tokenizer.chat_template)
    free = {
        number: token.content
        for number, token in sorted(tokenizer.added_tokens_decoder.items())
        if token.special and token.content not in named and token.content not in template
    }
    if len(free) < count:
        raise FailedPrecondition(
            f"the base model's vocabulary has {len(free)} special tokens that nothing uses, and a "
            f"soft prompt of {count} needs as many: lower the setting virtual_tokens, or name "
            "another base"
        )
    tokens = tuple(free)[:count]
    tokenizer.chat_template = "".join(free[token] for token in tokens) + template
    return tokens


def soften(base: PreTrainedModel, tokens: Sequence[int], initial: Sequence[int]) -> None:
    """Make the rows of `tokens` learn, and nothing else of the base; they begin as those of
    `initial`, over and over. The output layer stays as it is, also where it shares its weights.
    Raises FailedPrecondition where the base does more with a token's row than look it up.
    """
    words = base.get_input_embeddings()
    if type(words) is not nn.Embedding:
        raise FailedPrecondition(
            f"the base model's embeddings are {type(words).__name__}, in which a row is not what a "
            "token becomes: name another base"
        )
    begin = [initial[number % len(initial)] for number in range(len(tokens))]
    rows = words.weight[torch.tensor(begin, device=words.weight.device)]
    soft = SoftEmbedding(words, SoftPrompt(tuple(tokens), rows)).to(words.weight.device)
    base.requires_grad_(False)
    soft.rows.requires_grad_(True)
    base.set_input_embeddings(soft)


def save_soft_prompt(
    model: TrainableGenerator, learned: Mapping[str, Tensor], folder: Path
) -> None:
    """What a base that was softened has learned. Raises OSError."""
    soft: SoftEmbedding = model.network.get_input_embeddings()
    rows = next(value for name, value in learned.items() if name.endswith(_ROWS))
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {_ROWS: rows.detach().cpu().contiguous(), _TOKENS: soft.tokens.cpu()}
    save_file(tensors, folder / _FILE)
