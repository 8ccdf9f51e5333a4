"""The graph that serves and the weights that training starts from are one encoder."""

import asyncio
import random
from pathlib import Path

import numpy as np
import pytest
from gyre_common.model_folders import shipped_model
from gyre_embedder.encoder_folder import read_encoder_folder
from gyre_embedder.encoders import Side
from gyre_embedder.onnx_encoder import OnnxEncoder
from gyre_trainer.recipes.query_encoder.model import encode_texts, open_base, open_tokenizer
from gyre_trainer.recipes.query_encoder.prepare import package_folder

from tests.models import SHIPPED

WORDS = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split()
LONGEST = 256


def texts(count: int) -> list[str]:
    """Of 1 to 300 words, so that a few are cut."""
    dice = random.Random(7)
    return [" ".join(dice.choices(WORDS, k=round(300 ** dice.random()))) for _ in range(count)]


@pytest.mark.timeout(600)  # two encoders read them, and one core may be all there is
def test_the_served_vectors_are_those_of_the_trainable_weights() -> None:
    folder = package_folder(SHIPPED.settings["package"], SHIPPED)
    expected = encode_texts(open_base(folder, 384), open_tokenizer(folder, LONGEST), texts(60))
    encoder = OnnxEncoder(read_encoder_folder(shipped_model(SHIPPED)), threads=1)
    served = asyncio.run(encoder.encode(texts(60), Side.DOCUMENT))
    cosines = [float(one @ each.vector) for one, each in zip(expected, served, strict=True)]
    assert np.min(cosines) >= 0.9999
