"""A model's folder is checked by its headers: what cannot be served is refused with what to do."""

from pathlib import Path
from typing import Any

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.language_model_files import read_adapter, read_language_model

from tests.language_models import a_gguf, a_safetensors_model, an_adapter, with_tensors


def test_a_gguf_file_says_what_it_is(tmp_path: Path) -> None:
    model = read_language_model(a_gguf(tmp_path))
    assert (model.architecture, model.window, model.is_gguf) == ("llama", 8192, True)
    assert model.size_bytes == model.weights.stat().st_size


def test_a_folder_of_safetensors_says_what_it_is(tmp_path: Path) -> None:
    model = read_language_model(a_safetensors_model(tmp_path))
    assert (model.architecture, model.window, model.is_gguf) == ("llama", 2048, False)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"tokenizer.chat_template": None}, "no chat template"),
        ({"tokenizer.ggml.tokens": None}, "no tokenizer"),
        ({"llama.context_length": None}, "no context length"),
        ({"general.architecture": None}, "no architecture"),
    ],
)
def test_a_gguf_file_without_what_serving_needs_is_refused(
    tmp_path: Path, fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(FailedPrecondition, match=problem):
        read_language_model(a_gguf(tmp_path, **fields))


@pytest.mark.parametrize("length", [3, 10, 30, 60, 130])
def test_a_gguf_file_that_is_cut_off_is_refused(tmp_path: Path, length: int) -> None:
    file = a_gguf(tmp_path) / "model.gguf"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(FailedPrecondition, match=r"cut off|does not begin"):
        read_language_model(tmp_path)


@pytest.mark.parametrize("missing", [1, 34, 68, 90, 120])
def test_a_gguf_file_that_is_cut_off_in_its_weights_is_refused(
    tmp_path: Path, missing: int
) -> None:
    file = with_tensors(a_gguf(tmp_path)) / "model.gguf"
    read_language_model(tmp_path)
    file.write_bytes(file.read_bytes()[:-missing])
    with pytest.raises(FailedPrecondition, match="cut off"):
        read_language_model(tmp_path)


def test_a_header_that_promises_terabytes_is_refused(tmp_path: Path) -> None:
    file = a_gguf(tmp_path) / "model.gguf"
    file.write_bytes(file.read_bytes()[:24] + b"\xff" * 8)
    with pytest.raises(FailedPrecondition, match="damaged"):
        read_language_model(tmp_path)


def test_a_pickle_is_refused_and_never_opened(tmp_path: Path) -> None:
    (a_gguf(tmp_path) / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(FailedPrecondition, match=r"pytorch_model.bin may be a pickle.*safetensors"):
        read_language_model(tmp_path)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_safetensors_without_a_file_that_serving_needs_are_refused(
    tmp_path: Path, missing: str
) -> None:
    (a_safetensors_model(tmp_path) / missing).unlink()
    with pytest.raises(FailedPrecondition, match="cannot be served"):
        read_language_model(tmp_path)


def test_safetensors_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    file = a_safetensors_model(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(FailedPrecondition, match="cut off"):
        read_language_model(tmp_path)


def test_a_folder_without_weights_or_with_two_kinds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="not a folder with files"):
        read_language_model(tmp_path / "nowhere")
    a_gguf(a_safetensors_model(tmp_path / "both"))
    with pytest.raises(FailedPrecondition, match="one GGUF file, or safetensors"):
        read_language_model(tmp_path / "both")


def test_an_adapter_says_what_it_was_trained_on_and_how_strong_it_is(tmp_path: Path) -> None:
    adapter = read_adapter(an_adapter(tmp_path))
    assert (adapter.base, adapter.rank, adapter.scale) == ("base", 16, 2.0)
    scaled_by_root = read_adapter(an_adapter(tmp_path / "rs", use_rslora=True))
    assert scaled_by_root.scale == 8.0


@pytest.mark.parametrize("changes", [{"peft_type": "IA3"}, {"r": 0}, {"use_dora": True}])
def test_an_adapter_of_another_kind_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(FailedPrecondition, match="cannot be served"):
        read_adapter(an_adapter(tmp_path, **changes))


def test_a_folder_of_everything_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_common.language_model_files._MOST_PATHS", 3)
    for number in range(4):
        (tmp_path / f"{number}.gguf").touch()
    with pytest.raises(FailedPrecondition, match="more than 3 files lie in it; needed is the mod"):
        read_language_model(tmp_path)
