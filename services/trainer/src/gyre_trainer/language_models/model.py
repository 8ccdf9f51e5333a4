"""The language model in torch: opened from a version's folder, made ready to learn, and kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import psutil
import torch
from gyre_common.errors import FailedPrecondition
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from gyre_trainer.language_models.adapters import ADAPTER_CONFIG
from gyre_trainer.language_models.attention import PACKED_ATTENTION
from gyre_trainer.language_models.batches import Pack
from gyre_trainer.language_models.chat import ChatTokenizer
from gyre_trainer.language_models.config import LanguageModelConfig, Precision, Variant

C = TypeVar("C", bound=LanguageModelConfig)

_FULL_COPIES = 4
"""Weights, gradients, and AdamW's two moments, in single precision."""
_STORED_BYTES = {torch.float32: 160, torch.bfloat16: 115}
_AGAIN_BYTES = {torch.float32: 90, torch.bfloat16: 50}
"""So many are in memory on the way back for each number of a token's hidden state in each layer,
where activations are kept and where they are computed again, as seen at SmolLM2-135M.
"""


class TrainableGenerator(nn.Module):
    """A causal language model that gives the logits of the places that are learned."""

    def __init__(
        self, network: PreTrainedModel | PeftModel, compute: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.network = network
        self.compute = compute
        network.set_attn_implementation(PACKED_ATTENTION)

    def forward(self, pack: Pack) -> Tensor:
        """Shape (places, vocabulary): the output layer sees no token of a prompt but its last."""
        lower = self.compute is not torch.float32
        with torch.autocast(pack.ids.device.type, self.compute, enabled=lower):
            output = self.network(
                input_ids=pack.ids,
                position_ids=pack.positions,
                spans=pack.spans,
                logits_to_keep=pack.at,
                use_cache=False,
            )
        logits: Tensor = output.logits[0]
        return logits


class Beginning:
    """What a model's learned weights were before the first step."""

    def __init__(self, model: nn.Module) -> None:
        self._learned = [each for each in model.parameters() if each.requires_grad]
        self._values = [each.detach().clone() for each in self._learned]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """The model is inside as it was then."""
        learned = [each.data for each in self._learned]
        try:
            self._exchange(
                [each.to(p.device) for each, p in zip(self._values, self._learned, strict=True)]
            )
            yield
        finally:
            self._exchange(learned)

    def _exchange(self, values: Sequence[Tensor]) -> None:
        for each, value in zip(self._learned, values, strict=True):
            each.data = value


def with_precision(config: C) -> C:
    """The settings with what `auto` comes to on this machine."""
    if config.precision is not Precision.AUTO:
        return config
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = bool(torch.cpu.get_capabilities().get("amx_bf16"))
    return config.model_copy(update={"precision": Precision.BFLOAT16 if fast else Precision.SINGLE})


def compute_type(config: LanguageModelConfig) -> torch.dtype:
    """What matrices are multiplied in, of settings that `with_precision` gave."""
    return torch.bfloat16 if config.precision is Precision.BFLOAT16 else torch.float32


def open_to_train(
    folder: Path, config: LanguageModelConfig, variant: Variant
) -> tuple[PreTrainedModel, ChatTokenizer]:
    """Weights that do not learn are kept in the type that is computed in. Raises as `open_base`."""
    frozen = variant is Variant.LOW_RANK
    return open_base(folder, compute_type(config) if frozen else torch.float32)


def open_base(
    folder: Path, dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, ChatTokenizer]:
    """From safetensors or one GGUF file. Raises FailedPrecondition: there is none, it is damaged,
    not of a kind that can be trained, or without a chat template.
    """
    options = _weights_options(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **options)
        network = AutoModelForCausalLM.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            **options,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise FailedPrecondition(
            f"the base model {folder} cannot be opened to train it: {problem}"
        ) from error
    # What was read from GGUF is quantised no more; with this set, transformers would not write it.
    network.hf_quantizer = None
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
    base: PreTrainedModel,
    config: LanguageModelConfig,
    variant: Variant,
    start: Path | None = None,
) -> TrainableGenerator:
    """The base, made ready to learn, with the adapter in the folder `start` on it. Raises as
    `learning_network` does.
    """
    network = learning_network(base, config, variant, TaskType.CAUSAL_LM, start)
    return TrainableGenerator(network, compute_type(config)).train()


def learning_network(
    base: PreTrainedModel,
    config: LanguageModelConfig,
    variant: Variant,
    task: TaskType,
    start: Path | None = None,
) -> PreTrainedModel | PeftModel:
    """Only what the variant trains asks for gradients: a full one changes the base with the adapter
    merged into it. Raises as `compute_again` does, and FailedPrecondition where the adapter in the
    folder `start` is damaged.
    """
    compute_again(base, config)
    if variant is Variant.FULL:
        whole = base if start is None else _continued(base, config, start).merge_and_unload()
        return whole.requires_grad_(True)
    return _with_adapter(base, config, task) if start is None else _continued(base, config, start)


def compute_again(base: PreTrainedModel, config: LanguageModelConfig) -> None:
    """Let the base compute its activations again on the way back, where that is set. Raises
    FailedPrecondition where it cannot.
    """
    if config.checkpoint_activations:
        if not base.supports_gradient_checkpointing:
            raise FailedPrecondition(
                "the base model cannot compute its activations again: leave out the setting "
                "checkpoint_activations"
            )
        base.activation_checkpointing_enable()


def _with_adapter(base: PreTrainedModel, config: LanguageModelConfig, task: TaskType) -> PeftModel:
    # W + scale · B A instead of W, for every matrix but the output's: Hu et al. 2021, eq. 3.
    low_rank = LoraConfig(
        r=config.rank,
        lora_alpha=config.rank_scale * config.rank,  # which PEFT divides by the rank
        lora_dropout=config.dropout,
        target_modules="all-linear",
        task_type=task,
    )
    return get_peft_model(base, low_rank)


def _continued(base: PreTrainedModel, config: LanguageModelConfig, start: Path) -> PeftModel:
    try:
        low_rank = LoraConfig.from_pretrained(str(start))
        low_rank.lora_dropout = config.dropout
        low_rank.base_model_name_or_path = base.name_or_path  # a version's name is asked for online
        return PeftModel.from_pretrained(base, str(start), is_trainable=True, config=low_rank)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise FailedPrecondition(
            f"the adapter {start} cannot be opened to train it: {problem}"
        ) from error


def check_memory(base: PreTrainedModel, config: LanguageModelConfig, variant: StrEnum) -> None:
    """Raises FailedPrecondition where this machine has less than training needs, by estimate."""
    if torch.cuda.is_available():
        return  # it says so itself, by a type of its own
    size, of = base.num_parameters(), base.config
    tokens = max(config.longest, config.packed_tokens)
    further = (_FULL_COPIES - 1) * size * torch.float32.itemsize if variant is Variant.FULL else 0
    bytes_each = _AGAIN_BYTES if config.checkpoint_activations else _STORED_BYTES
    activations = tokens * of.num_hidden_layers * of.hidden_size * bytes_each[compute_type(config)]
    needed = further + activations
    available = psutil.virtual_memory().available
    if needed > available:
        raise FailedPrecondition(
            f"training needs about {needed / 1e9:.1f} GB more memory, and {available / 1e9:.1f} GB "
            f"are free: {_smaller(variant)}"
        )


@contextmanager
def memory_in_words(variant: StrEnum) -> Iterator[None]:
    """Raises FailedPrecondition for what runs out of memory inside."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise FailedPrecondition(f"memory is exhausted: {_smaller(variant)}") from error


def _smaller(variant: StrEnum) -> str:
    other = ", or train the variant low-rank" if variant is Variant.FULL else ""
    return f"lower the settings longest and packed_tokens, set checkpoint_activations{other}"


Save = Callable[[TrainableGenerator, Mapping[str, Tensor], Path], None]
"""Writes what a model has learned: its weights that learn, by the model's names. Raises OSError."""


def save_learned(model: TrainableGenerator, learned: Mapping[str, Tensor], folder: Path) -> None:
    """PEFT's adapter, or the whole model in single precision; see Save."""
    of_network = {name.removeprefix("network."): value for name, value in learned.items()}
    model.network.save_pretrained(folder, state_dict=of_network, safe_serialization=True)


def save_tokenizer(base: Path, folder: Path) -> None:
    """The base's own, with its chat template, beside weights that were trained. Raises OSError."""
    open_tokenizer(base).save_pretrained(folder)


def open_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A base's own, as it is. Raises OSError."""
    options = _weights_options(folder)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, **options)
