"""The shipped encoder gives the vectors that indexes hold, and says what it could not read."""

import numpy as np
import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.model_folders import shipped_model
from gyre_embedder.encoder_folder import Pooling, read_encoder_folder
from gyre_embedder.encoders import Side
from gyre_embedder.onnx_encoder import OnnxEncoder

from tests.models import SHIPPED

TEXTS = ("What is a Pod?", "Green tea wants water at 80 °C, black tea wants it boiling.", "é")
FIRST_NUMBERS = (
    (0.02806, 0.03318, 0.03122, 0.04106, 0.01833, -0.03485),
    (-0.03515, -0.01887, -0.03559, -0.02603, 0.05612, -0.00783),
    (-0.01529, 0.05226, 0.04122, 0.05940, -0.03604, -0.00950),
)
"""Of each text's vector, computed from the published weights with torch."""


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    return OnnxEncoder(read_encoder_folder(shipped_model(SHIPPED)), threads=1)


async def test_vectors_are_those_of_the_published_weights(encoder: OnnxEncoder) -> None:
    encoded = await encoder.encode(TEXTS, Side.DOCUMENT)
    for first, result in zip(FIRST_NUMBERS, encoded, strict=True):
        assert result.vector[: len(first)] == pytest.approx(first, abs=1e-4)
        assert np.linalg.norm(result.vector) == pytest.approx(1, abs=1e-5)
    assert encoder.dimensions == 384


async def test_company_does_not_change_a_vector(encoder: OnnxEncoder) -> None:
    (alone,) = await encoder.encode([TEXTS[0]], Side.QUERY)
    together = await encoder.encode([*TEXTS, "tea " * 100], Side.DOCUMENT)
    assert float(alone.vector @ together[0].vector) > 0.99999


async def test_a_text_longer_than_the_window_is_cut_and_says_so(encoder: OnnxEncoder) -> None:
    fits, cut, huge = await encoder.encode(["tea", "tea " * 300, "tea " * 100_000], Side.DOCUMENT)
    assert (fits.tokens, fits.truncated) == (3, False)
    assert (cut.tokens, cut.truncated) == (256, True)
    assert (huge.tokens, huge.truncated) == (256, True)


def test_it_is_pooled_and_prompted_as_its_authors_say() -> None:
    folder = read_encoder_folder(shipped_model(SHIPPED))
    assert (folder.pooling, folder.longest, folder.pad_id) == (Pooling.MEAN, 256, 0)
    assert not any(folder.prompts.values())


def test_another_version_without_files_is_refused() -> None:
    other = SHIPPED.model_copy(update={"digest": "sha256:" + "0" * 64})
    with pytest.raises(FailedPrecondition, match="is not what ships with Gyre"):
        shipped_model(other)
