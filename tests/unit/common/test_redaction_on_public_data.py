"""Structured kinds are recognized as well as is claimed, where the public data is at hand."""

import json

import pytest

from bench.personal_data.__main__ import STRUCTURED, Seen, labelled, recognized, scores
from bench.report import data_folder


@pytest.fixture(scope="module")
def rows() -> tuple[list[list[Seen]], list[list[Seen]]]:
    """Labels and what is recognized."""
    try:
        file = data_folder("presidio") / "synth_dataset_v2.json"
    except SystemExit as error:
        pytest.skip(str(error))
    rows = json.loads(file.read_bytes())
    return [labelled(row) for row in rows], [recognized(row["full_text"]) for row in rows]


@pytest.mark.parametrize("kind", STRUCTURED)
def test_a_structured_kind_is_recognized_nine_times_of_ten(
    rows: tuple[list[list[Seen]], list[list[Seen]]], kind: str
) -> None:
    precision, recall = map(float, scores(*rows, kind))
    assert precision >= 0.9
    assert recall >= 0.9
