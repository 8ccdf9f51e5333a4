"""The ONNX graph computes what the published network defines: here it is once more, in numpy."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.model_folders import packaged
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.testing.builders import MORNING
from gyre_embedder.bert_graph import Floats, Weights
from gyre_embedder.encoder import Side
from gyre_embedder.model_files import ModelFiles
from gyre_embedder.onnx_encoder import OnnxEncoder
from tokenizers import Tokenizer

ARTIFACT = built_in_artifacts(MORNING)[Roles.DOCUMENT_ENCODER]
LAYERS, HEADS, EPSILON = 6, 12, 1e-12
TEXTS = ("What is a Pod?", "Green tea wants water at 80 °C, black tea wants it boiling.", "é")

_erf = np.vectorize(math.erf)


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    return OnnxEncoder(ModelFiles(packaged(ARTIFACT)), threads=1)


async def test_vectors_are_those_of_the_network(encoder: OnnxEncoder) -> None:
    files = ModelFiles(packaged(ARTIFACT))
    tokenizer = Tokenizer.from_file(str(files.tokenizer))
    tokenizer.no_padding()
    encoded = await encoder.encode(TEXTS, Side.DOCUMENT)
    with files.weights() as weights:
        for text, result in zip(TEXTS, encoded, strict=True):
            expected = forward(weights, tokenizer.encode(text).ids)
            assert float(expected @ result.vector) > 0.99999, text
            assert np.linalg.norm(result.vector) == pytest.approx(1, abs=1e-5)


async def test_company_does_not_change_a_vector(encoder: OnnxEncoder) -> None:
    (alone,) = await encoder.encode([TEXTS[0]], Side.QUERY)
    together = await encoder.encode([*TEXTS, "tea " * 100], Side.DOCUMENT)
    assert float(alone.vector @ together[0].vector) > 0.99999


async def test_a_text_longer_than_the_window_is_cut_and_says_so(encoder: OnnxEncoder) -> None:
    fits, cut, huge = await encoder.encode(["tea", "tea " * 300, "tea " * 100_000], Side.DOCUMENT)
    assert (fits.tokens, fits.truncated) == (3, False)
    assert (cut.tokens, cut.truncated) == (256, True)
    assert (huge.tokens, huge.truncated) == (256, True)


def test_weights_of_another_digest_are_refused() -> None:
    other = ARTIFACT.model_copy(update={"digest": "sha256:" + "0" * 64})
    with pytest.raises(FailedPrecondition, match="should be sha256:000"):
        packaged(other)


def test_a_package_that_is_not_installed_is_named() -> None:
    other = ARTIFACT.model_copy(update={"settings": {"package": "no_such_weights"}})
    with pytest.raises(FailedPrecondition, match="no_such_weights"):
        packaged(other)


def forward(weights: Weights, token_ids: Sequence[int]) -> Floats:
    """BERT (arXiv:1810.04805), mean pooling, length 1; one text, so no padding and no mask."""
    states = weights["embeddings.word_embeddings.weight"][list(token_ids)]
    states = states + weights["embeddings.position_embeddings.weight"][: len(token_ids)]
    states = states + weights["embeddings.token_type_embeddings.weight"][0]
    states = norm(states, weights, "embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        seen = attention(states, weights, f"{layer}.attention.self")
        seen = dense(seen, weights, f"{layer}.attention.output.dense")
        states = norm(states + seen, weights, f"{layer}.attention.output.LayerNorm")
        wide = dense(states, weights, f"{layer}.intermediate.dense")
        wide = wide * 0.5 * (1 + _erf(wide / math.sqrt(2)))
        narrow = dense(wide, weights, f"{layer}.output.dense")
        states = norm(states + narrow, weights, f"{layer}.output.LayerNorm")
    mean = states.mean(axis=0)
    vector: Floats = mean / np.linalg.norm(mean)
    return vector


def dense(states: Floats, weights: Weights, name: str) -> Floats:
    product: Floats = states @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return product


def norm(states: Floats, weights: Weights, name: str) -> Floats:
    centred = states - states.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPSILON)
    result: Floats = scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return result


def attention(states: Floats, weights: Weights, name: str) -> Floats:
    def heads(part: str) -> Floats:
        split = dense(states, weights, f"{name}.{part}").reshape(len(states), HEADS, -1)
        turned: Floats = split.transpose(1, 0, 2)
        return turned

    query, key, value = heads("query"), heads("key"), heads("value")
    logits = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    mixed = (odds / odds.sum(axis=-1, keepdims=True)) @ value
    joined: Floats = mixed.transpose(1, 0, 2).reshape(len(states), -1)
    return joined
