"""What a gate of answers says in its main line."""

from gyre_common.events.training import Decision
from gyre_trainer.language_models.report import MeasuredSlice, SliceName, summary_of


def test_the_main_line_leaves_out_what_could_not_be_measured() -> None:
    slices = [
        MeasuredSlice(name=SliceName.OVERALL, questions=9, clusters=9, difference=5, low=2, high=8),
        MeasuredSlice(name=SliceName.DECLINING, questions=0, clusters=0),
    ]
    assert summary_of(Decision.PASSED, slices) == "passed: overall +5.0 (+2.0 to +8.0)"
    assert summary_of(Decision.TOO_SMALL, slices[1:]) == "too small to tell: nothing was measured"
