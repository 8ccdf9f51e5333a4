"""Which examples a step learns from: a function of the step, so that a run can go on anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig
from gyre_trainer.recipes.query_encoder.inputs import EncodedCorpus
from gyre_trainer.recipes.query_encoder.rehearsal import rehearsals
from gyre_trainer.recipes.query_encoder.targets import TrainingExample


@dataclass(frozen=True)
class Batch:
    """The examples of one batch on one process, and how many its step has in all."""

    questions: Sequence[TrainingExample]
    rehearsals: Sequence[TrainingExample]
    question_total: int
    rehearsal_total: int


class Batches:
    """Shuffled questions, each `epochs` times, with texts of the corpus to rehearse among them."""

    def __init__(
        self,
        questions: Sequence[TrainingExample],
        corpus: EncodedCorpus,
        config: QueryEncoderConfig,
    ) -> None:
        self._questions = questions
        self._seed = config.seed
        self._shuffled: tuple[int, Sequence[int]] = (-1, ())
        self._questions_per_step = min(config.batch, len(questions))
        self._accumulation = config.accumulation
        self.steps = ceil(config.epochs * len(questions) / self._questions_per_step)
        self._rehearsals_per_step = round(config.rehearsal * self._questions_per_step)
        self._rehearsal_examples = rehearsals(
            corpus,
            count=self._rehearsals_per_step * self.steps,
            own_share=config.rehearsal_own_share,
            seed=config.seed,
        )

    def at(self, step: int, *, rank: int, ranks: int) -> list[Batch]:
        """What the process `rank` of `ranks` does in this step (from 0), batch by batch.

        Together the processes do the same, however many they are.
        """
        first = step * self._questions_per_step
        questions = [self._question(first + place) for place in range(self._questions_per_step)]
        first = step * self._rehearsals_per_step
        texts = self._rehearsal_examples[first : first + self._rehearsals_per_step]
        return [
            Batch(
                questions[part :: self._accumulation][rank::ranks],
                texts[part :: self._accumulation][rank::ranks],
                question_total=len(questions),
                rehearsal_total=len(texts),
            )
            for part in range(self._accumulation)
        ]

    def _question(self, position: int) -> TrainingExample:
        epoch, place = divmod(position, len(self._questions))
        return self._questions[self._order(epoch)[place]]

    def _order(self, epoch: int) -> Sequence[int]:
        if self._shuffled[0] != epoch:
            order = np.random.default_rng([self._seed, 2, epoch]).permutation(len(self._questions))
            self._shuffled = (epoch, order.tolist())
        return self._shuffled[1]
