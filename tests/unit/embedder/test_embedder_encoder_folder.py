"""What stands beside an ONNX graph means what sentence-transformers takes it to mean."""

from pathlib import Path

import numpy as np
import pytest
from gyre_common.errors import FailedPrecondition
from gyre_embedder.encoder_folder import Pooling, read_encoder_folder
from gyre_embedder.encoders import Side, Vector
from gyre_embedder.onnx_encoder import OnnxEncoder

from tests.models import tiny_model, write_json

LIBRARY, POOLING = "config_sentence_transformers.json", "1_Pooling/config.json"
TRANSFORMER, TEXT = "sentence_bert_config.json", "How hot should the water be?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An encoder's folder; its graph and tokenizer are not read by most tests."""
    for name in ("onnx/model.onnx", "tokenizer.json"):
        write_json(tmp_path / name, {})
    write_json(tmp_path / TRANSFORMER, {"max_seq_length": 256})
    return tmp_path


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({}, Pooling.MEAN),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, Pooling.CLS),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, Pooling.MEAN),
        ({"pooling_mode": "cls"}, Pooling.CLS),
        ({"pooling_mode": ["mean"]}, Pooling.MEAN),
    ],
)
def test_pooling_is_read_as_old_and_new_versions_write_it(
    folder: Path, config: object, pooling: Pooling
) -> None:
    write_json(folder / POOLING, config)
    assert read_encoder_folder(folder).pooling is pooling


@pytest.mark.parametrize(
    ("config", "query", "document"),
    [
        ({}, "", ""),
        ({"prompts": {"query": "query: ", "passage": "passage: "}}, "query: ", "passage: "),
        ({"prompts": {"query": "q: ", "document": "d: ", "passage": "p: "}}, "q: ", "d: "),
        ({"prompts": {"query": "q: ", "document": ""}, "default_prompt_name": "query"}, "q: ", ""),
        ({"prompts": {"any": "a: "}, "default_prompt_name": "any"}, "a: ", "a: "),
        ({"prompts": None, "default_prompt_name": None}, "", ""),
    ],
)
def test_each_side_has_its_prompt(folder: Path, config: object, query: str, document: str) -> None:
    write_json(folder / LIBRARY, config)
    assert read_encoder_folder(folder).prompts == {Side.QUERY: query, Side.DOCUMENT: document}


@pytest.mark.parametrize(
    ("transformer", "network", "tokenizer", "longest"),
    [
        ({"max_seq_length": 128}, {"max_position_embeddings": 512}, {}, 128),
        ({}, {"max_position_embeddings": 514}, {"model_max_length": 512}, 512),
        ({}, {"max_position_embeddings": 512}, {"model_max_length": int(1e30)}, 512),
    ],
)
def test_a_text_may_be_as_long_as_the_library_lets_it_be(
    folder: Path, transformer: object, network: object, tokenizer: object, longest: int
) -> None:
    write_json(folder / TRANSFORMER, transformer)
    write_json(folder / "config.json", network)
    write_json(folder / "tokenizer_config.json", tokenizer)
    assert read_encoder_folder(folder).longest == longest


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (POOLING, {"pooling_mode": "lasttoken"}, "lasttoken is not served"),
        (POOLING, {"pooling_mode": ["mean", "max"]}, r"mean \+ max is not served"),
        ("modules.json", [{"type": "sentence_transformers.models.Dense"}], "Dense is not served"),
        ("modules.json", {}, "is not what sentence-transformers writes"),
        (LIBRARY, {"similarity_fn_name": "dot"}, "similarity dot is not served"),
        (TRANSFORMER, {}, "no file says how many tokens"),
        (TRANSFORMER, {"max_seq_length": 0}, "no file says how many tokens"),
    ],
)
def test_what_is_not_served_is_refused_by_name(
    folder: Path, name: str, content: object, reason: str
) -> None:
    write_json(folder / name, content)
    with pytest.raises(FailedPrecondition, match=reason):
        read_encoder_folder(folder)


def test_a_prompt_that_is_not_to_be_pooled_is_refused(folder: Path) -> None:
    write_json(folder / POOLING, {"pooling_mode": "mean", "include_prompt": False})
    read_encoder_folder(folder)
    write_json(folder / LIBRARY, {"prompts": {"query": "query: "}})
    with pytest.raises(FailedPrecondition, match="include_prompt false is not served"):
        read_encoder_folder(folder)


async def encoded(folder: Path, text: str = TEXT, side: Side = Side.QUERY) -> Vector:
    encoder = OnnxEncoder(read_encoder_folder(folder), threads=1)
    # The longer one beside it makes padding, which no pooling may read.
    one, _ = await encoder.encode([text, f"{TEXT} {TEXT}"], side)
    return one.vector


async def test_mean_and_cls_are_what_they_are_called(tmp_path: Path) -> None:
    """The first word's vector is the first number of every sum: its CLS token stands alone."""
    words = np.zeros((30_522, 4), np.float32)
    words[101, 0] = words[102, 1] = 1  # [CLS], [SEP]
    cls = await encoded(tiny_model(tmp_path / "cls", pooling="cls", weights=words), "")
    assert cls.tolist() == [1, 0, 0, 0]
    mean = await encoded(tiny_model(tmp_path / "mean", weights=words), "")
    expected = np.tanh([[1, 0, 0, 0], [1, 1, 0, 0]]).mean(axis=0)
    assert np.allclose(mean, expected / np.linalg.norm(expected))


async def test_a_text_is_encoded_as_if_its_prompt_stood_before_it(tmp_path: Path) -> None:
    plain = tiny_model(tmp_path / "plain")
    prompts = {"query": "query: ", "passage": "passage: "}
    prompted = tiny_model(tmp_path / "prompted", prompts=prompts)
    for side, prompt in ((Side.QUERY, "query: "), (Side.DOCUMENT, "passage: ")):
        expected = await encoded(plain, prompt + TEXT)
        assert np.allclose(await encoded(prompted, TEXT, side), expected, atol=1e-6)
    assert not np.allclose(await encoded(prompted), await encoded(plain), atol=1e-2)


async def test_a_text_is_made_small_where_the_folder_says_so(tmp_path: Path) -> None:
    """The shipped tokenizer does so itself, and must not be what is tested here."""
    folder = tiny_model(tmp_path / "made")
    tokenizer = (folder / "tokenizer.json").read_text()
    as_it_is = tokenizer.replace('"lowercase": true', '"lowercase": false')
    (folder / "tokenizer.json").write_text(as_it_is)
    assert not np.allclose(await encoded(folder, "TEA"), await encoded(folder, "tea"), atol=1e-2)
    write_json(folder / TRANSFORMER, {"max_seq_length": 64, "do_lower_case": True})
    assert np.allclose(await encoded(folder, "TEA"), await encoded(folder, "tea"), atol=1e-6)
