"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping

from pydantic import Field

from gyre_trainer.language_models.config import AnswersConfig


class GeneratorSftConfig(AnswersConfig):
    """`teacher` names a version of the generator that answers at most `teacher_questions` of those
    that nobody answered, the newest; each of its answers counts `teacher_weight` beside one that
    somebody wrote. Without it only people teach. All "not answered here" together weigh at most
    `declined_share` of what is learned (`language_models/declining.py`).
    """

    declined_share: float = Field(default=0.15, ge=0, lt=1)

    teacher: str = ""
    teacher_questions: int = Field(default=200, ge=1, le=100_000)
    teacher_weight: float = Field(default=0.5, gt=0, le=1)


def variants_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """What a run with these settings trains."""
    return GeneratorSftConfig.from_settings(settings).variants()
