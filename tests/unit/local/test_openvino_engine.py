"""What the engine cannot run is refused before anything is loaded, with what it can."""

from pathlib import Path

import pytest
from gyre_common.language_model_files import read_language_model
from gyre_local.language_model.errors import ApiError
from gyre_local.language_model.openvino_engine import OpenVinoEngine

from tests.language_models import a_gguf, a_safetensors_model


def test_another_architecture_is_refused_by_name(tmp_path: Path) -> None:
    fields = {"general.architecture": "gemma3", "gemma3.context_length": 8192}
    files = read_language_model(a_gguf(tmp_path, **fields))
    with pytest.raises(ApiError, match="architecture gemma3: give it GGUF of llama, qwen2, qwen3"):
        OpenVinoEngine(threads=1).open(files, None)


def test_safetensors_are_refused_with_where_they_can_be_served(tmp_path: Path) -> None:
    files = read_language_model(a_safetensors_model(tmp_path))
    with pytest.raises(ApiError, match=r"cannot run safetensors .*serve the model by vLLM"):
        OpenVinoEngine(threads=1).open(files, None)
