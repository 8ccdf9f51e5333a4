"""The query encoder in torch: the lower layers stay as they are, the upper ones learn."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from gyre_common.errors import FailedPrecondition
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence
from transformers.models.bert import BertConfig, BertModel

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.query_encoder.inputs import Floats, check_base

WEIGHTS = "model.safetensors"
_TOKENS_AT_ONCE, _TEXTS_AT_ONCE = 2048, 64


class TrainableQueryEncoder(nn.Module):
    """Token ids of texts to vectors of length 1: mean over the tokens, then normalised (Reimers and
    Gurevych 2019, arXiv:1908.10084).
    """

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """One vector a text, in their order. Returns (texts, d)."""
        if not texts:
            return torch.zeros(0, self.bert.config.hidden_size, device=self.bert.device)
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        groups = [self.padded([texts[at] for at in group]) for group in _groups(order, texts)]
        vectors = torch.cat([self.encode(ids, mask) for ids, mask in groups])
        return vectors[torch.argsort(torch.tensor(order))]

    def encode(self, token_ids: Tensor, mask: Tensor) -> Tensor:
        """Shapes: both (texts, tokens); the mask is 1 for a token, else 0. Returns (texts, d)."""
        return pooled(self.bert(token_ids, mask).last_hidden_state, mask)

    def padded(self, texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Token ids and mask, on the device of the weights."""
        ids = pad_sequence([torch.tensor(text) for text in texts], batch_first=True)
        mask = pad_sequence([torch.ones(len(text)).long() for text in texts], batch_first=True)
        return ids.to(self.bert.device), mask.to(self.bert.device)


def pooled(hidden: Tensor, mask: Tensor) -> Tensor:
    """Shapes: (texts, tokens, d) and (texts, tokens). Returns (texts, d), each row of length 1."""
    real = mask.unsqueeze(-1).to(hidden.dtype)
    return normalize((hidden * real).sum(dim=1) / real.sum(dim=1), dim=1)


def _groups(order: Sequence[int], texts: Sequence[Sequence[int]]) -> Iterator[Sequence[int]]:
    """Neighbours in length, so many at a time that padding and memory stay small."""
    start = 0
    while start < len(order):
        end = start + 1
        shortest = len(texts[order[start]])
        while end < len(order):
            longest = len(texts[order[end]])
            if longest * (end + 1 - start) > _TOKENS_AT_ONCE or longest > 1.5 * shortest + 4:
                break
            end += 1
        yield order[start:end]
        start = end


def open_base(folder: Path, dimensions: int) -> TrainableQueryEncoder:
    """In sentence-transformers' layout. Raises FailedPrecondition: a file is missing or damaged, or
    the network is not of its config's sizes, or its vectors are not of `dimensions` numbers.
    """
    check_base(folder)
    window(folder)
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.get("model_type") != "bert":
            raise FailedPrecondition(f"{path} does not describe a BERT encoder")
        config = BertConfig(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise FailedPrecondition(f"{path} does not describe a BERT encoder: {error}") from error
    if config.hidden_size != dimensions:
        raise FailedPrecondition(
            f"the base model {folder} makes vectors of {config.hidden_size} numbers, "
            f"the index holds {dimensions}: they do not fit"
        )
    bert = BertModel(config, add_pooling_layer=False)
    weights, path = read_weights(folder), folder / WEIGHTS
    for name, value in bert.state_dict().items():
        if name not in weights:
            raise FailedPrecondition(f"{path} has no {name}: it is not whole")
        if weights[name].shape != value.shape:
            raise FailedPrecondition(
                f"{path} holds {name} of {tuple(weights[name].shape)}, "
                f"config.json says {tuple(value.shape)}"
            )
    bert.load_state_dict({name: weights[name].float() for name in bert.state_dict()})
    return TrainableQueryEncoder(bert).eval()


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The float tensors of a folder, by name."""
    path = folder / WEIGHTS
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise FailedPrecondition(f"{path} is damaged: {error}") from error


def open_tokenizer(folder: Path, longest: int) -> Tokenizer:
    """The folder's tokenizer, cutting at `longest` tokens and never padding."""
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:
        raise FailedPrecondition(f"{folder / 'tokenizer.json'} is damaged: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return tokenizer


def window(folder: Path) -> int:
    """The most tokens that a text may have; raises FailedPrecondition where it is not told."""
    path = folder / "sentence_bert_config.json"
    try:
        longest = int(json.loads(path.read_text(encoding="utf-8"))["max_seq_length"])
    except (ValueError, TypeError, KeyError) as error:
        raise FailedPrecondition(f"{path} names no max_seq_length: it is damaged") from error
    if longest < 1:
        raise FailedPrecondition(f"{path} names a max_seq_length of {longest}: it is damaged")
    return longest


def make_trainable(
    base: TrainableQueryEncoder, config: QueryEncoderConfig, variant: Variant
) -> TrainableQueryEncoder:
    """The base, made ready to learn: only what the variant trains asks for gradients."""
    base.requires_grad_(False)
    for module in base.modules():
        if isinstance(module, nn.Dropout):
            module.p = config.dropout
    upper = base.bert.encoder.layer[-config.trained_layers :]
    if variant is Variant.FULL:
        upper.requires_grad_(True)
    else:
        # W + scale · B A instead of W, for every matrix: Hu et al. 2021, arXiv:2106.09685, eq. 3.
        linears = {id(each) for each in upper.modules() if isinstance(each, nn.Linear)}
        low_rank = LoraConfig(
            r=config.rank,
            lora_alpha=config.rank_scale * config.rank,  # which PEFT divides by the rank
            target_modules=[
                name for name, each in base.bert.named_modules() if id(each) in linears
            ],
        )
        inject_adapter_in_model(low_rank, base.bert)
    return base.train()


def merged_weights(encoder: TrainableQueryEncoder) -> dict[str, Tensor]:
    """What was trained, by the base's names: low-rank updates are added to their matrices."""
    adapted = {
        name: each for name, each in encoder.bert.named_modules() if isinstance(each, LoraLayer)
    }
    if adapted:
        for layer in adapted.values():
            layer.merge()
        learned = {f"{name}.weight": each.get_base_layer().weight for name, each in adapted.items()}
    else:
        parameters = encoder.bert.named_parameters()
        learned = {name: value for name, value in parameters if value.requires_grad}
    return {name: learned[name].detach().cpu().contiguous() for name in sorted(learned)}


def interpolate_weights(
    base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Weights `share` of the way from the base to what was trained; 0 and 1 are the ends exactly
    (Wortsman et al. 2022, arXiv:2109.01903, eq. 1).
    """
    if share == 1:
        return dict(tuned)
    return {name: base[name] + share * (value - base[name]) for name, value in tuned.items()}


def encode_texts(
    encoder: TrainableQueryEncoder, tokenizer: Tokenizer, texts: Sequence[str]
) -> Floats:
    """Vectors of length 1, shape (texts, d)."""
    parts = []
    with torch.no_grad():
        for start in range(0, max(1, len(texts)), _TEXTS_AT_ONCE):
            encodings = tokenizer.encode_batch(list(texts[start : start + _TEXTS_AT_ONCE]))
            parts.append(encoder([each.ids for each in encodings]).cpu())
    vectors: Floats = torch.cat(parts).numpy()
    return vectors
