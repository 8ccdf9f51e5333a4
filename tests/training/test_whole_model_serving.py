"""A whole model that was trained from the shipped GGUF file, on the local engine."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import gguf
import numpy as np
import pytest
import torch
from gyre_common.errors import FailedPrecondition
from gyre_common.language_model_files import AdapterFiles, read_adapter, read_language_model
from gyre_common.model_folders import SHIPPED_MODELS
from gyre_common.releases.builtin import LANGUAGE_MODEL_FILE, LANGUAGE_MODEL_VERSION
from gyre_local.language_model.engine import Sampling
from gyre_local.language_model.openvino_engine import OpenVinoEngine
from gyre_local.language_model.requests import ChatMessage
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.export import FORMS
from gyre_trainer.language_models.gguf_export import gguf_of, write_gguf
from gyre_trainer.language_models.model import TrainableGenerator, open_base, save_learned
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel

FOLDER = SHIPPED_MODELS / LANGUAGE_MODEL_VERSION
pytestmark = [
    pytest.mark.timeout(600),  # two models are loaded, and one core may be all there is
    pytest.mark.skipif(
        not (FOLDER / LANGUAGE_MODEL_FILE).is_file(), reason="needs `make setup-llm`"
    ),
]
MESSAGES = [ChatMessage(role="user", content="Why is the sky blue?")]


@pytest.fixture(scope="module")
def adapted() -> PeftModel:
    """The shipped model with an adapter that changes every matrix, by the same draws each time."""
    torch.manual_seed(0)
    network, _ = open_base(FOLDER)
    config = LoraConfig(r=4, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(network, config)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            weights.data.normal_(std=0.01)
    return model


@pytest.fixture(scope="module")
def adapter(adapted: PeftModel, tmp_path_factory: pytest.TempPathFactory) -> AdapterFiles:
    folder = tmp_path_factory.mktemp("adapter")
    adapted.save_pretrained(folder)
    return read_adapter(folder)


@pytest.fixture(scope="module")
def whole(adapted: PeftModel, adapter: AdapterFiles) -> PreTrainedModel:
    """The same as one model, once the adapter is written."""
    assert adapter.weights.is_file()
    return adapted.merge_and_unload()


def test_a_whole_model_answers_as_its_base_with_the_same_change_as_an_adapter(
    whole: PreTrainedModel, adapter: AdapterFiles, tmp_path: Path
) -> None:
    learned, candidate = tmp_path / "learned", tmp_path / "candidate"
    save_learned(TrainableGenerator(whole), with_prefix(whole.state_dict()), learned)
    candidate.mkdir()
    FORMS[Variant.FULL].fill(SimpleNamespace(base_folder=FOLDER), learned, candidate)  # type: ignore[arg-type]
    assert [each.name for each in candidate.iterdir()] == [LANGUAGE_MODEL_FILE]

    again, _ = open_base(candidate)
    for name, weights in whole.state_dict().items():
        read = again.state_dict()[name]
        step = weights.abs().max() / 127  # of 8 bits
        assert (read - weights).abs().max() <= step, name
    assert answer(candidate) == answer(FOLDER, adapter) != answer(FOLDER)


def test_a_weight_without_a_place_in_the_file_is_named(tmp_path: Path) -> None:
    save_file({"model.layers.0.mlp.extra.weight": torch.ones(4, 4)}, tmp_path / "a.safetensors")
    with pytest.raises(FailedPrecondition, match=r"extra\.weight has no place in"):
        write_gguf(tmp_path, FOLDER / LANGUAGE_MODEL_FILE, tmp_path / "new.gguf")


def test_other_architectures_stay_safetensors(tmp_path: Path) -> None:
    assert gguf_of(tmp_path) is None
    writer = gguf.GGUFWriter(tmp_path / "gemma.gguf", "gemma2")
    writer.add_tensor("output_norm.weight", np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert gguf_of(tmp_path) is None


def with_prefix(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By the names that a model has in training."""
    return {f"network.{name}": value for name, value in weights.items()}


def answer(folder: Path, adapter: AdapterFiles | None = None) -> str:
    model = OpenVinoEngine(threads=2).open(read_language_model(folder), adapter)
    pieces: list[str] = []
    try:
        prompt = model.chat_tokens(MESSAGES)
        model.generate(prompt, Sampling(max_tokens=16), lambda text: not pieces.append(text))  # type: ignore[func-returns-value]
    finally:
        model.close()
    return "".join(pieces)
