"""How much "not answered here" teaches a model beside answers."""

from collections.abc import Sequence

from gyre_trainer.data_sets.answers import declines
from gyre_trainer.language_models.inputs import Sample


def with_declining_bounded(samples: Sequence[Sample], share: float) -> list[Sample]:
    """The samples; those that decline weigh so much less that together they are at most `share` of
    all weight, and where that is 0 they are left out.

    A model that cannot tell whether passages answer declines as often as it was taught to, and the
    likelier of the two is what it writes: with every other sample a refusal, it refuses most
    questions. Whether there is an answer is for the version's threshold to say; the model declines
    only where it is sure (label shift: Saerens et al. 2002, doi:10.1162/089976602753284446, eq. 4).
    """
    weights = [sample.row.weight for sample in samples]
    is_refusal = [declines(sample.answer) for sample in samples]
    refusals = sum(w for w, refusal in zip(weights, is_refusal, strict=True) if refusal)
    answers = sum(weights) - refusals
    most = share / (1 - share) * answers
    if refusals <= most or not answers:
        return list(samples)
    factor = most / refusals
    return [
        _weighed(sample, factor) if refusal else sample
        for sample, refusal in zip(samples, is_refusal, strict=True)
        if not refusal or factor > 0
    ]


def _weighed(sample: Sample, factor: float) -> Sample:
    row = sample.row.model_copy(update={"weight": sample.row.weight * factor})
    return sample.model_copy(update={"row": row})
