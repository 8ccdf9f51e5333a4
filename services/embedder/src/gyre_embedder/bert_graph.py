"""The BERT encoder as an ONNX graph: tokens in, unit sentence vectors out, mask and pooling inside.

Devlin et al. 2019, arXiv:1810.04805; mean pooling and cosine from Reimers and Gurevych 2019,
arXiv:1908.10084. Made of ONNX Runtime's fused operators (domain com.microsoft, documented in its
ContribOperators.md), so that no optimizer pass has to find them. Weights stay outside the graph.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]

INPUTS = ("token_ids", "mask")
OUTPUT = "vectors"
_FUSED = "com.microsoft"
_OPSET = 18
_IR_VERSION = 10


@dataclass(frozen=True)
class BertShape:
    """The sizes that define the network."""

    hidden: int
    heads: int
    layers: int
    epsilon: float


@dataclass
class BertGraph:
    """A serialized model, and the weights that it borrows: its external initializers."""

    model: bytes
    borrowed: dict[str, Floats]


def build_graph(weights: Weights, shape: BertShape) -> BertGraph:
    """Make the graph of the encoder.

    Inputs `token_ids` and `mask` are int32 of shape (texts, tokens); output `vectors` is float32
    of shape (texts, hidden), each row of length 1.
    """
    graph = _Graph(weights, shape)
    graph.embed()
    for layer in range(shape.layers):
        graph.attend(f"encoder.layer.{layer}.")
        graph.feed_forward(f"encoder.layer.{layer}.")
    graph.pool()
    return BertGraph(graph.serialize(), graph.borrowed)


@dataclass
class _Graph:
    weights: Weights
    shape: BertShape
    borrowed: dict[str, Floats] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    current: str = ""

    def embed(self) -> None:
        """Word + position + segment (always the first one), then layer norm."""
        segment = self.weights["embeddings.token_type_embeddings.weight"][0]
        positions = self.weights["embeddings.position_embeddings.weight"] + segment
        inputs = [
            "token_ids",
            "",
            self._weight("embeddings.word_embeddings.weight"),
            self._borrow("positions", positions),
            "",
            self._weight("embeddings.LayerNorm.weight"),
            self._weight("embeddings.LayerNorm.bias"),
            "mask",
        ]
        outputs = ["embedded", "mask_index"]
        self._fused("EmbedLayerNormalization", inputs, *outputs, epsilon=self.shape.epsilon)
        self.current = "embedded"

    def attend(self, layer: str) -> None:
        """Self-attention, projection, residual, layer norm."""
        own = f"{layer}attention.self."
        parts = [f"{own}{part}" for part in ("query", "key", "value")]
        matrix = np.concatenate([self.weights[f"{part}.weight"] for part in parts]).T
        bias = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        inputs = [
            self.current,
            self._borrow(f"{own}weight", matrix),
            self._borrow(f"{own}bias", bias),
            "mask_index",
        ]
        self._fused("Attention", inputs, f"{own}out", num_heads=self.shape.heads)
        self._project(f"{own}out", f"{layer}attention.output.")

    def feed_forward(self, layer: str) -> None:
        """Wide layer with GELU (the exact one, by erf), projection, residual, layer norm."""
        wide = f"{layer}intermediate.dense."
        self._add("MatMul", [self.current, self._transposed(f"{wide}weight")], f"{wide}out")
        self._fused("BiasGelu", [f"{wide}out", self._weight(f"{wide}bias")], f"{wide}gelu")
        self._project(f"{wide}gelu", f"{layer}output.")

    def pool(self) -> None:
        """The sum over the tokens of a text, scaled to length 1: the same as the mean, scaled."""
        self._add("Cast", ["mask"], "mask_float", to=TensorProto.FLOAT)
        self._add("Unsqueeze", ["mask_float", "axis_1"], "mask_row")
        self._add("MatMul", ["mask_row", self.current], "sum_row")
        self._add("Squeeze", ["sum_row", "axis_1"], "sum")
        self._add("LpNormalization", ["sum"], OUTPUT, axis=1, p=2)

    def serialize(self) -> bytes:
        """The model, with a placeholder for each borrowed weight."""
        initializers = [_placeholder(name, value) for name, value in self.borrowed.items()]
        initializers.append(numpy_helper.from_array(np.array([1], np.int64), "axis_1"))
        shapes = [
            helper.make_tensor_value_info(name, TensorProto.INT32, ["texts", "tokens"])
            for name in INPUTS
        ]
        vectors = helper.make_tensor_value_info(
            OUTPUT, TensorProto.FLOAT, ["texts", self.shape.hidden]
        )
        graph = helper.make_graph(self.nodes, "bert", shapes, [vectors], initializers)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        serialized: bytes = model.SerializeToString()
        return serialized

    def _project(self, source: str, name: str) -> None:
        product, result = f"{name}product", f"{name}result"
        self._add("MatMul", [source, self._transposed(f"{name}dense.weight")], product)
        inputs = [
            product,
            self.current,
            self._weight(f"{name}LayerNorm.weight"),
            self._weight(f"{name}LayerNorm.bias"),
            self._weight(f"{name}dense.bias"),
        ]
        self._fused("SkipLayerNormalization", inputs, result, epsilon=self.shape.epsilon)
        self.current = result

    def _weight(self, name: str) -> str:
        return self._borrow(name, self.weights[name])

    def _transposed(self, name: str) -> str:
        return self._borrow(name, self.weights[name].T)

    def _borrow(self, name: str, value: Floats) -> str:
        self.borrowed[name] = np.ascontiguousarray(value)
        return name

    def _add(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(operator, inputs, list(outputs), **attributes))

    def _fused(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> None:
        self._add(operator, inputs, *outputs, domain=_FUSED, **attributes)


def _placeholder(name: str, value: Floats) -> onnx.TensorProto:
    tensor = onnx.TensorProto(
        name=name,
        data_type=TensorProto.FLOAT,
        dims=value.shape,
        data_location=TensorProto.EXTERNAL,
    )
    tensor.external_data.add(key="location", value="given by the session")
    return tensor
