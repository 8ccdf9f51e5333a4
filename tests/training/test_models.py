"""The network: what is trained of it, the way back to the base, and broken base folders."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from gyre_common.errors import FailedPrecondition
from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.query_encoder.model import (
    interpolate_weights,
    make_trainable,
    merged_weights,
    open_base,
)

from tests.training.tiny_runs import HIDDEN

TEXTS = [[1, 9, 2], [1, 9, 10, 11, 12, 13, 2], [1, 30, 2]]


def test_vectors_have_length_one_and_do_not_depend_on_what_stands_beside(tiny_base: Path) -> None:
    encoder = open_base(tiny_base, HIDDEN)
    together = encoder(TEXTS)
    alone = torch.cat([encoder([text]) for text in TEXTS])
    assert torch.allclose(together.norm(dim=1), torch.ones(3))
    assert torch.allclose(together, alone, atol=1e-6)


def test_only_the_upper_layers_learn(tiny_base: Path) -> None:
    config = QueryEncoderConfig(trained_layers=1)
    tuned = make_trainable(open_base(tiny_base, HIDDEN), config, Variant.FULL)
    names = [name for name, value in tuned.named_parameters() if value.requires_grad]
    assert names
    assert all(name.startswith("bert.encoder.layer.1.") for name in names)


def test_low_rank_begins_at_the_base_and_merges_into_its_matrices(tiny_base: Path) -> None:
    base = open_base(tiny_base, HIDDEN)
    config = QueryEncoderConfig(trained_layers=1, rank=2)
    tuned = make_trainable(copy.deepcopy(base), config, Variant.LOW_RANK)
    assert torch.equal(tuned(TEXTS), base(TEXTS))
    for name, value in tuned.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(value)
    expected = tuned(TEXTS)
    merged = merged_weights(tuned)
    assert all(name.startswith("encoder.layer.1.") for name in merged)
    assert len(merged) == 6  # query, key, value, and three dense ones
    base.bert.load_state_dict(merged, strict=False)
    assert torch.allclose(base(TEXTS), expected, atol=1e-5)


def test_the_ends_of_the_way_are_the_base_and_the_tuned_weights_exactly() -> None:
    base = {"a": torch.tensor([0.1, 0.2]), "b": torch.tensor([7.0])}
    tuned = {"a": torch.tensor([0.7, -0.3])}
    assert torch.equal(interpolate_weights(base, tuned, 0.0)["a"], base["a"])
    assert torch.equal(interpolate_weights(base, tuned, 1.0)["a"], tuned["a"])
    assert interpolate_weights(base, tuned, 0.5)["a"].tolist() == pytest.approx([0.4, -0.05])
    assert interpolate_weights(base, tuned, 0.5).keys() == {"a"}


@pytest.fixture
def broken(tmp_path: Path, tiny_base: Path) -> Path:
    return Path(shutil.copytree(tiny_base, tmp_path / "broken"))


def test_a_missing_file_is_named(broken: Path) -> None:
    (broken / "tokenizer.json").unlink()
    with pytest.raises(FailedPrecondition, match=r"has no tokenizer\.json"):
        open_base(broken, HIDDEN)


def test_truncated_weights_are_told(broken: Path) -> None:
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(FailedPrecondition, match=r"model\.safetensors is damaged"):
        open_base(broken, HIDDEN)


def test_weights_of_another_size_than_the_config_says_are_told(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    with pytest.raises(FailedPrecondition, match=r"of \(64, 32\), config\.json says \(48, 32\)"):
        open_base(broken, HIDDEN)


def test_more_layers_in_the_config_than_in_the_weights_are_told(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(FailedPrecondition, match=r"has no encoder\.layer\.2"):
        open_base(broken, HIDDEN)


def test_a_config_that_is_no_json_or_no_bert_is_told(broken: Path) -> None:
    (broken / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(FailedPrecondition, match="does not describe a BERT encoder"):
        open_base(broken, HIDDEN)
    (broken / "config.json").write_text("{")
    with pytest.raises(FailedPrecondition, match=r"config\.json does not describe"):
        open_base(broken, HIDDEN)


@pytest.mark.parametrize("content", ["{broken", "{}", "[]", '{"max_seq_length": 0}'])
def test_a_folder_that_does_not_say_how_long_a_text_may_be_is_told(
    broken: Path, content: str
) -> None:
    (broken / "sentence_bert_config.json").write_text(content)
    with pytest.raises(FailedPrecondition, match=r"sentence_bert_config\.json names .*damaged"):
        open_base(broken, HIDDEN)


def test_vectors_of_another_dimension_than_the_index_are_refused(tiny_base: Path) -> None:
    with pytest.raises(
        FailedPrecondition, match="makes vectors of 32 numbers, the index holds 384"
    ):
        open_base(tiny_base, 384)
