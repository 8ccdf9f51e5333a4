"""The language model in torch: opened from a version's folder, made ready to learn, and kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from gyre_common.errors import FailedPrecondition
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from gyre_trainer.language_models.adapters import ADAPTER_CONFIG
from gyre_trainer.language_models.batches import Pack
from gyre_trainer.language_models.chat import ChatTokenizer
from gyre_trainer.language_models.config import LanguageModelConfig, Variant

_SINGLE_PRECISION = 4
_FULL_COPIES = 4
"""Weights, gradients, and AdamW's two moments."""
_ACTIVATIONS = 55
"""So many numbers of the hidden size are kept of a token in each layer, about: for the way back."""


class TrainableGenerator(nn.Module):
    """A causal language model that gives the logits of the places that are learned."""

    def __init__(self, network: PreTrainedModel | PeftModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, pack: Pack) -> Tensor:
        """Shape (places, vocabulary): the output layer sees no token of a prompt but its last."""
        output = self.network(
            input_ids=pack.ids,
            position_ids=pack.positions,
            attention_mask=pack.mask,
            logits_to_keep=pack.at,
            use_cache=False,
        )
        logits: Tensor = output.logits[0]
        return logits


def open_base(folder: Path) -> tuple[PreTrainedModel, ChatTokenizer]:
    """From safetensors or one GGUF file, in single precision. Raises FailedPrecondition: there is
    none, it is damaged, not of a kind that can be trained, or without a chat template.
    """
    options = _weights_options(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **options)
        network = AutoModelForCausalLM.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            # It takes a mask that says which token sees which.
            attn_implementation="sdpa",
            **options,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise FailedPrecondition(
            f"the base model {folder} cannot be opened to train it: {problem}"
        ) from error
    return network.eval(), ChatTokenizer(tokenizer)


def _weights_options(folder: Path) -> dict[str, str]:
    if (folder / ADAPTER_CONFIG).exists():
        raise FailedPrecondition(
            f"{folder} holds an adapter, not a whole model: name the version that it was made from "
            "by the setting `base`"
        )
    if any(folder.glob("*.safetensors")):
        return {}
    files = sorted(path.name for path in folder.glob("*.gguf"))
    if len(files) != 1:
        raise FailedPrecondition(
            f"the base model {folder} holds no weights that can be trained: it needs "
            "*.safetensors, or one *.gguf"
        )
    return {"gguf_file": files[0]}


def make_trainable(
    base: PreTrainedModel, config: LanguageModelConfig, variant: Variant
) -> TrainableGenerator:
    """The base, made ready to learn: only what the variant trains asks for gradients."""
    if variant is Variant.FULL:
        return TrainableGenerator(base.requires_grad_(True)).train()
    # W + scale · B A instead of W, for every matrix but the output's: Hu et al. 2021, eq. 3.
    low_rank = LoraConfig(
        r=config.rank,
        lora_alpha=config.rank_scale * config.rank,  # which PEFT divides by the rank
        lora_dropout=config.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return TrainableGenerator(get_peft_model(base, low_rank)).train()


def check_memory(base: PreTrainedModel, config: LanguageModelConfig, variant: Variant) -> None:
    """Raises FailedPrecondition where this machine has less than training needs, by estimate."""
    if torch.cuda.is_available():
        return  # it says so itself, by a type of its own
    size, of = base.num_parameters(), base.config
    tokens = max(config.longest, config.packed_tokens)
    further = (_FULL_COPIES - 1) * size if variant is Variant.FULL else 0
    kept = tokens * of.num_hidden_layers * of.hidden_size * _ACTIVATIONS
    needed = _SINGLE_PRECISION * (further + kept)
    available = psutil.virtual_memory().available
    if needed > available:
        raise FailedPrecondition(
            f"training needs about {needed / 1e9:.1f} GB more memory, and {available / 1e9:.1f} GB "
            f"are free: {_smaller(variant)}"
        )


@contextmanager
def memory_in_words(variant: Variant) -> Iterator[None]:
    """Raises FailedPrecondition for what runs out of memory inside."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise FailedPrecondition(f"memory is exhausted: {_smaller(variant)}") from error


def _smaller(variant: Variant) -> str:
    other = ", or train the variant low-rank" if variant is Variant.FULL else ""
    return f"lower the settings longest and packed_tokens{other}"


def save_learned(model: TrainableGenerator, folder: Path) -> None:
    """PEFT's adapter, or the whole model in single precision. Raises OSError."""
    model.network.save_pretrained(folder, safe_serialization=True)


def save_tokenizer(base: Path, folder: Path) -> None:
    """The base's own, with its chat template, beside weights that were trained. Raises OSError."""
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True, **_weights_options(base))
    tokenizer.save_pretrained(folder)
