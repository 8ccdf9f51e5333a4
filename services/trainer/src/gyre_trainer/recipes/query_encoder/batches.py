"""Which examples a step learns from: a function of the step, so that a run can go on anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig
from gyre_trainer.recipes.query_encoder.inputs import Corpus
from gyre_trainer.recipes.query_encoder.rehearsal import rehearsals
from gyre_trainer.recipes.query_encoder.targets import Example


@dataclass(frozen=True)
class Batch:
    """The examples of one batch on one process, and how many its step has in all."""

    asked: Sequence[Example]
    rehearsed: Sequence[Example]
    asked_in_all: int
    rehearsed_in_all: int


class Batches:
    """Shuffled questions, each `epochs` times, with texts of the corpus to rehearse among them."""

    def __init__(
        self, questions: Sequence[Example], corpus: Corpus, config: QueryEncoderConfig
    ) -> None:
        self._questions = questions
        self._seed = config.seed
        self._shuffled: tuple[int, Sequence[int]] = (-1, ())
        self._asked = min(config.batch, len(questions))
        self._accumulation = config.accumulation
        self.steps = ceil(config.epochs * len(questions) / self._asked)
        self._rehearsals = round(config.rehearsal * self._asked)
        self._rehearsed = rehearsals(
            corpus,
            count=self._rehearsals * self.steps,
            own_share=config.rehearsal_own_share,
            seed=config.seed,
        )

    def at(self, step: int, *, rank: int, ranks: int) -> list[Batch]:
        """What the process `rank` of `ranks` does in this step (from 0), batch by batch.

        Together the processes do the same, however many they are.
        """
        first = step * self._asked
        asked = [self._question(first + place) for place in range(self._asked)]
        first = step * self._rehearsals
        rehearsed = self._rehearsed[first : first + self._rehearsals]
        return [
            Batch(
                asked[part :: self._accumulation][rank::ranks],
                rehearsed[part :: self._accumulation][rank::ranks],
                asked_in_all=len(asked),
                rehearsed_in_all=len(rehearsed),
            )
            for part in range(self._accumulation)
        ]

    def _question(self, position: int) -> Example:
        epoch, place = divmod(position, len(self._questions))
        return self._questions[self._order(epoch)[place]]

    def _order(self, epoch: int) -> Sequence[int]:
        if self._shuffled[0] != epoch:
            order = np.random.default_rng([self._seed, 2, epoch]).permutation(len(self._questions))
            self._shuffled = (epoch, order.tolist())
        return self._shuffled[1]
