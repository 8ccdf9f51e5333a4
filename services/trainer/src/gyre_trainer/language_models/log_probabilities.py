"""How likely a model finds whole completions, and did before it learned: the reference."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from gyre_common.errors import FailedPrecondition, Retryable
from torch import Tensor
from torch.nn.functional import cross_entropy

from gyre_trainer.language_models.batches import Pack, TokenizedSample, pack, packs_of
from gyre_trainer.language_models.config import LanguageModelConfig
from gyre_trainer.language_models.model import TrainableGenerator
from gyre_trainer.runs.folder import write_json
from gyre_trainer.training.workers import Workers


@dataclass(frozen=True)
class ReferencedSample(TokenizedSample):
    """`reference` is the log-probability of its completion, and of each of its `others`, that the
    model gave before the first step, in nats.
    """

    reference: tuple[float, ...] = ()


def completion_log_probabilities(logits: Tensor, row: Pack, completions: int) -> Tensor:
    """The sum over each completion's tokens of log p(token | what is before it), in nats.

    Shapes: `logits` (places, vocabulary), as the model gives them for the row. Returns
    (completions,), in the order of `Pack.completions`.
    """
    tokens = -cross_entropy(logits.float(), row.targets, reduction="none")
    return tokens.new_zeros(completions).index_add(0, row.completions, tokens)


def log_probabilities(
    model: TrainableGenerator,
    samples: Sequence[TokenizedSample],
    config: LanguageModelConfig,
    workers: Workers,
) -> list[list[float]]:
    """Of each sample's completions, all processes together; nothing is learned, and the model is
    left as it was.
    """
    lengths = [sample.length for sample in samples]
    packs = packs_of(lengths, tokens=config.packed_tokens, rank=workers.rank, ranks=workers.count)
    of_sample = [[0.0] * (1 + len(sample.others)) for sample in samples]
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for numbers in packs:
            row = pack([samples[number] for number in numbers]).to(workers.device)
            count = sum(len(of_sample[number]) for number in numbers)
            values = completion_log_probabilities(model(row), row, count).tolist()
            for number in numbers:
                many = len(of_sample[number])
                of_sample[number], values = values[:many], values[many:]
    model.train(was_training)
    total = iter(workers.sum([value for each in of_sample for value in each]))
    return [[next(total) for _ in each] for each in of_sample]


def with_reference(
    untrained: TrainableGenerator,
    samples: Sequence[TokenizedSample],
    config: LanguageModelConfig,
    workers: Workers,
    *,
    reference_file: Path,
    data: str,
) -> list[ReferencedSample]:
    """The samples with what a model that has learned nothing yet gives their completions. That is
    computed once and kept in a file, which a training that is resumed reads. `data` is the
    digest of what is learned from. Raises FailedPrecondition: the file is damaged or of other data;
    Retryable: it cannot be written.
    """
    values = _values(untrained, samples, config, workers, reference_file, data)
    return [
        ReferencedSample(each.ids, each.completion, each.weight, each.others, tuple(reference))
        for each, reference in zip(samples, values, strict=True)
    ]


def _values(
    untrained: TrainableGenerator,
    samples: Sequence[TokenizedSample],
    config: LanguageModelConfig,
    workers: Workers,
    reference_file: Path,
    data: str,
) -> list[list[float]]:
    belongs_to = {"settings": config.model_dump_json(), "data": data}
    if reference_file.exists():
        return _read(reference_file, belongs_to, samples)
    values = log_probabilities(untrained, samples, config, workers)
    if workers.first:
        try:
            write_json(reference_file, {**belongs_to, "log_probabilities": values})
        except OSError as error:
            raise Retryable(f"cannot write {reference_file}: {error.strerror or error}") from error
    return values


def _read(
    path: Path, belongs_to: dict[str, str], samples: Sequence[TokenizedSample]
) -> list[list[float]]:
    try:
        content = json.loads(path.read_bytes())
        values: list[list[float]] = content["log_probabilities"]
        whole = [len(each) for each in values] == [1 + len(sample.others) for sample in samples]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FailedPrecondition(f"{path} cannot be read: start a new run") from error
    for name, value in belongs_to.items():
        if content.get(name) != value or not whole:
            raise FailedPrecondition(f"{path} was made with other {name}: start a new run")
    return values
