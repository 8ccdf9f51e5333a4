"""Whether passages hold an answer: one rule, whatever writes it."""

from collections.abc import Mapping

from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import GuardrailResult

ANSWERS_AT = 0.4
"""Confidence from which there is an answer, chosen on the tuning half of bench/answers;
bench/generator has what it comes to beside others."""


def answers_at(settings: Mapping[str, str]) -> float | None:
    """The setting `answers_at` of a generator version, from 0 (always answers) to 1; None where it
    names none. Raises FailedPrecondition.
    """
    value = settings.get("answers_at")
    try:
        threshold = None if value is None else float(value)
    except ValueError:
        threshold = -1.0
    if threshold is not None and not 0 <= threshold <= 1:
        raise FailedPrecondition(
            f"the generator version's setting answers_at is {str(value)[:20]!r}: register a "
            "version with a number from 0 to 1"
        )
    return threshold


def answerable(confidence: float, threshold: float) -> GuardrailResult:
    """Whether they answer, for the record; `confidence` is that of `reading.confidence`."""
    detail = f"confidence {confidence:.2f}, answers from {threshold:g}"
    return GuardrailResult(name="answerable", passed=confidence >= threshold, detail=detail)
