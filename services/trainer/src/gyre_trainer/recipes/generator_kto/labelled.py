"""Answers that should or should not be given, each beside the answer to another question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gyre_trainer.language_models.batches import Tokenized, TokenizedSample
from gyre_trainer.language_models.log_probabilities import ReferencedSample, log_probabilities
from gyre_trainer.language_models.model import TrainableGenerator
from gyre_trainer.language_models.result import Losses
from gyre_trainer.recipes.generator_kto.config import GeneratorKtoConfig
from gyre_trainer.recipes.generator_kto.loss import kl_estimate, kto_loss
from gyre_trainer.training.workers import Workers


@dataclass(frozen=True)
class LabelledSample(ReferencedSample):
    """Its one other completion belongs to another question: `mismatched`."""

    desirable: bool = True

    @property
    def mismatched(self) -> TokenizedSample:
        """The prompt with that other completion alone."""
        (other,) = self.others
        return TokenizedSample((*self.prompt, *other), len(other))

    @property
    def matched(self) -> TokenizedSample:
        """The prompt with its own completion alone."""
        return TokenizedSample(self.ids, self.completion, self.weight)


def with_mismatched(tokens: Tokenized, *, longest: int) -> list[TokenizedSample]:
    """Each with the completion of the sample before it that answers another question, cut to fit,
    the first with the last's: the same throughout, so that its reference is computed once.
    """
    samples, clusters = tokens.samples, [source.row.cluster for source in tokens.sources]
    mismatched = []
    for at, sample in enumerate(samples):
        before = (at - back for back in range(1, len(samples)))
        other = next((each for each in before if clusters[each] != clusters[at]), at)
        completion = samples[other].ids[len(samples[other].prompt) :]
        room = longest - len(sample.prompt)
        mismatched.append(replace(sample, others=(completion[:room],)))
    return mismatched


def lambdas_of(tokens: Tokenized, config: GeneratorKtoConfig) -> Mapping[bool, float]:
    """λ of answers that should be given (True), and of others, by what is learned from."""
    sums = {True: 0.0, False: 0.0}
    for sample, source in zip(tokens.samples, tokens.sources, strict=True):
        sums[source.row.desirable] += sample.weight
    return dict(zip(sums, config.lambdas(*sums.values()), strict=True))


def labelled(
    samples: Sequence[ReferencedSample], tokens: Tokenized, lambdas: Mapping[bool, float]
) -> list[LabelledSample]:
    """The samples with what they are, and λ in their weights."""
    return [
        LabelledSample(
            each.ids,
            each.completion,
            each.weight * lambdas[source.row.desirable],
            each.others,
            each.reference,
            desirable=source.row.desirable,
        )
        for each, source in zip(samples, tokens.sources, strict=True)
    ]


def kl_of(
    model: TrainableGenerator,
    batch: Sequence[LabelledSample],
    config: GeneratorKtoConfig,
    workers: Workers,
) -> Tensor:
    """How far the model has moved, by all of a step's mismatched completions; every process has the
    same. Where a lone sample has none of another question, its own stands for it.
    """
    mismatched = [sample.mismatched for sample in batch]
    policy = log_probabilities(model, mismatched, config, workers)
    reference = [sample.reference[1] for sample in batch]
    return kl_estimate(torch.tensor(policy).view(-1), torch.tensor(reference))


def answer_tensors(
    batch: Sequence[LabelledSample], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """What the loss takes of each answer beside the policy, all (answers,): the reference in nats,
    whether it should be given, and its weight.
    """
    reference = torch.tensor([sample.reference[0] for sample in batch], device=device)
    desirable = torch.tensor([sample.desirable for sample in batch], device=device).bool()
    weights = torch.tensor([sample.weight for sample in batch], device=device)
    return reference, desirable, weights


def validation_losses(
    model: TrainableGenerator,
    samples: Sequence[LabelledSample],
    config: GeneratorKtoConfig,
    workers: Workers,
) -> Losses:
    """The base's mean loss of answers that the model does not learn from, for which every ratio is
    0, and the model's. All processes take part.
    """
    of_sample = log_probabilities(model, samples, config, workers)
    if not samples:
        return Losses(before=None, after=None, questions=0)
    own, mismatched = torch.tensor(of_sample).unbind(dim=1)
    reference, desirable, weights = answer_tensors(samples, torch.device("cpu"))
    kl = kl_estimate(mismatched, torch.tensor([sample.reference[1] for sample in samples]))
    after = kto_loss(own - reference, kl, desirable, weights, len(samples), beta=config.beta)
    before = weights.mean().item() / 2
    return Losses(before=before, after=after.item(), questions=len(samples))
