"""Encoders that tests make: real ONNX folders, small enough to be made anew each time."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from gyre_common.events.releases import Roles
from gyre_common.model_folders import shipped_model
from gyre_common.releases.builtin import built_in_artifacts
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]

SHIPPED = built_in_artifacts(datetime(2026, 1, 1, tzinfo=UTC))[Roles.QUERY_ENCODER]
GRAPH = "onnx/model.onnx"
TOKENS = ("input_ids", "attention_mask", "token_type_ids")
TRAINED_BEFORE = ("token_ids", "mask")
"""The inputs of an encoder that was trained here before ADR 0016; its graph pools by itself."""
_WORDS, _LONGEST = 30_522, 64


def tiny_model(
    folder: Path,
    *,
    seed: int = 0,
    hidden: int = 32,
    pooling: str = "mean",
    prompts: Mapping[str, str] | None = None,
    inputs: tuple[str, ...] = TOKENS,
    weights: Floats | None = None,
) -> Path:
    """An untrained encoder with the shipped tokenizer. With the inputs `TRAINED_BEFORE`, its graph
    gives pooled vectors.
    """
    (folder / "onnx").mkdir(parents=True)
    shutil.copyfile(shipped_model(SHIPPED) / "tokenizer.json", folder / "tokenizer.json")
    modules = [
        {"type": f"sentence_transformers.models.{name}"} for name in ("Transformer", "Pooling")
    ]
    write_json(folder / "modules.json", modules)
    write_json(folder / "1_Pooling" / "config.json", {f"pooling_mode_{pooling}_tokens": True})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": _LONGEST})
    write_json(folder / "config_sentence_transformers.json", {"prompts": dict(prompts or {})})
    if weights is None:
        weights = np.random.default_rng(seed).normal(0, 1, (_WORDS, hidden)).astype(np.float32)
    onnx.save(_graph(weights, inputs), folder / GRAPH)
    return folder


def changed_model(folder: Path, *, by: float = 0.01, seed: int = 1) -> Path:
    """The shipped encoder with its last layer a little different: another version of it."""
    shutil.copytree(shipped_model(SHIPPED), folder, copy_function=shutil.copyfile)
    model = onnx.load(folder / GRAPH)
    tensors = {each.name: each for each in model.graph.initializer}
    (last,) = (
        tensors[each.input[1]]
        for each in model.graph.node
        if each.name == "/encoder/layer.5/output/dense/MatMul"
    )
    weights = numpy_helper.to_array(last)
    noise = np.random.default_rng(seed).normal(0, by, weights.shape)
    last.CopyFrom(numpy_helper.from_array((weights + noise).astype(np.float32), last.name))
    onnx.save(model, folder / GRAPH)
    return folder


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _graph(words: Floats, inputs: tuple[str, ...]) -> onnx.ModelProto:
    """A token's vector is made of the words up to it, as a stand-in for attention."""
    ids, mask = inputs[0], inputs[1]
    nodes = [
        helper.make_node("Gather", ["words", ids], ["word"]),
        helper.make_node("CumSum", ["word", "axis"], ["seen"]),
        helper.make_node("Tanh", ["seen"], ["last_hidden_state"]),
    ]
    output, shape = "last_hidden_state", ["texts", "tokens", words.shape[1]]
    if inputs == TRAINED_BEFORE:
        nodes += [
            helper.make_node("Cast", [mask], ["mask_float"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask_float", "axis"], ["mask_row"]),
            helper.make_node("MatMul", ["mask_row", "last_hidden_state"], ["sum_row"]),
            helper.make_node("Squeeze", ["sum_row", "axis"], ["sum"]),
            helper.make_node("LpNormalization", ["sum"], ["vectors"], axis=1, p=2),
        ]
        output, shape = "vectors", ["texts", words.shape[1]]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["texts", "tokens"]) for n in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(words, "words"),
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
