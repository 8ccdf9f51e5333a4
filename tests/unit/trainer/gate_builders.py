"""Questions, legs and slices for tests of the gate, with only what matters overridden."""

from collections.abc import Mapping
from typing import Any

from gyre_common.fusion import Span, span_of
from gyre_trainer.data_sets.frozen import DataSetRow
from gyre_trainer.recipes.query_encoder.ranking import (
    GateQuestion,
    LegHit,
    Legs,
)
from gyre_trainer.recipes.query_encoder.report import MeasuredSlice, SliceName


def a_row(*shown: tuple[str, float | None], **overrides: Any) -> DataSetRow:
    """Passages in the order of ranks, each with its label."""
    row = {
        "question_id": "q1",
        "tenant": "default",
        "question": "Where is tea?",
        "cluster": "c1",
        "part": "gate",
        "shown": [
            {"chunk_id": name, "rank": rank, "label": label}
            for rank, (name, label) in enumerate(shown, start=1)
        ],
    }
    return DataSetRow.model_validate({**row, **overrides})


def a_question(name: str, grades: Mapping[str, int], **overrides: Any) -> GateQuestion:
    fields = {
        "question_id": name,
        "tenant": "default",
        "acl": (),
        "text": f"question {name}?",
        "cluster": name,
        "new": False,
        "grades": grades,
        "chance": 1.0,
    }
    return GateQuestion(**{**fields, **overrides})


def some_legs(*hits: tuple[str, float | None, float | None]) -> Legs:
    """Each hit by name with its score in either leg; spans are those of the hits."""
    spans: dict[str, Span] = {}
    columns = {"bm25": [hit[1] for hit in hits], "dense": [hit[2] for hit in hits]}
    for leg, column in columns.items():
        span = span_of([float(score) for score in column if score is not None])
        if span is not None:
            spans[leg] = span
    return Legs([LegHit(name, bm25, dense, 0.0) for name, bm25, dense in hits], spans)


def a_slice(name: SliceName, difference: float | None = 0.05, **overrides: Any) -> MeasuredSlice:
    """A slice of 100 questions with a clear gain."""
    fields: dict[str, Any] = {"name": name, "questions": 100, "clusters": 100}
    if difference is not None:
        fields |= {
            "difference": difference,
            "low": difference - 0.02,
            "high": difference + 0.02,
            "one_sided_low": difference - 0.017,
            "spread": 0.0102,
        }
    return MeasuredSlice(**{**fields, **overrides})


def all_slices(*overrides: MeasuredSlice) -> dict[SliceName, MeasuredSlice]:
    """Those given; the others are clear gains."""
    slices = {name: a_slice(name) for name in SliceName}
    return {**slices, **{one.name: one for one in overrides}}
