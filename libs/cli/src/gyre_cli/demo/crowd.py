"""A simulated crowd: it asks over the public API, looks at what is shown, and says what it thinks.

Somebody who looks at passage r of an answer (from 1) does so with probability r^-patience: people
look at what stands on top (Joachims et al. 2005, doi:10.1145/1076034.1076063). They may click what
answers their question, vote it up, and vote down what does not; some votes are wrong, many are
never given. Nobody says anything about a passage that was not shown.
"""

import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from gyre.feedback.v1 import feedback_pb2
from gyre.generator.v1 import generator_pb2
from gyre_client import AsyncClient, Unavailable
from gyre_client.submission import in_turns
from gyre_common.retrying import retry

from gyre_cli.demo.corpus import DemoQuestion

Reply = TypeVar("Reply")

ANSWER_SECONDS = 120.0
_AT_ONCE = 4


@dataclass(frozen=True)
class Habits:
    """Probabilities. `wrong` is the share of votes that say the opposite of what is true."""

    wrong: float = 0.1
    skipped: float = 0.15
    """Nothing is said of a passage that answers the question."""
    down: float = 0.2
    """A passage that does not answer it, and was looked at, gets a vote."""
    click: float = 0.4
    stray_click: float = 0.01
    patience: float = 0.5
    actors: int = 40


@dataclass
class CrowdTally:
    """What the crowd did. `hits` are questions for which a right passage was shown.

    `liked` are documents with a vote up, right or wrong; `last_word_at` is when the last feedback
    was safe, in monotonic seconds.
    """

    questions: int = 0
    hits: int = 0
    ups: int = 0
    downs: int = 0
    clicks: int = 0
    wrong: int = 0
    liked: set[str] = field(default_factory=set)
    last_word_at: float = 0.0

    @property
    def votes(self) -> int:
        """Up and down."""
        return self.ups + self.downs


class Crowd:
    """The same seed and the same answers give the same words, in whatever order answers come."""

    def __init__(self, gyre: AsyncClient, *, habits: Habits, seed: int) -> None:
        self._gyre = gyre
        self._habits = habits
        self._seed = seed

    async def ask(
        self,
        questions: Sequence[DemoQuestion],
        show: Callable[[int], None],
        *,
        passes: int = 1,
    ) -> CrowdTally:
        """Everybody asks, `passes` times each question; `show` hears how many are done."""
        tally = CrowdTally()

        async def one(turn: tuple[int, DemoQuestion]) -> None:
            await self._one(*turn, tally)
            show(tally.questions)

        turns = [(number, question) for number in range(passes) for question in questions]
        await in_turns(turns, one, _AT_ONCE)
        return tally

    async def _one(self, number: int, question: DemoQuestion, tally: CrowdTally) -> None:
        chance = random.Random(f"{self._seed}/{number}/{question.question_id}")
        actor = f"crowd-{chance.randrange(self._habits.actors)}"
        key, answers = str(uuid.uuid4()), self._gyre.with_caller(actor=actor).answers
        answer = await with_retries(
            lambda: answers.ask(question.text, idempotency_key=key, timeout=ANSWER_SECONDS)
        )
        tally.questions += 1
        tally.hits += any(p.document_id in question.relevant for p in answer.passages)
        for passage in answer.passages:
            fits = passage.document_id in question.relevant
            for word in self._words(passage, fits, chance, tally):
                word.interaction_id = answer.interaction_id
                word.target = passage.chunk_id
                word.actor = actor
                word.idempotency_key = str(uuid.uuid4())
                await with_retries(partial(self._gyre.feedback.record, word))
                tally.last_word_at = time.monotonic()

    def _words(
        self,
        passage: generator_pb2.Passage,
        fits: bool,
        chance: random.Random,
        tally: CrowdTally,
    ) -> Iterator[feedback_pb2.SubmitFeedbackRequest]:
        """What is said of one passage. The same dice are thrown whatever is shown."""
        habits, word = self._habits, feedback_pb2.SubmitFeedbackRequest
        looks, clicks, speaks, errs = (chance.random() for _ in range(4))
        if looks > passage.rank**-habits.patience:
            return
        if clicks < (habits.click if fits else habits.stray_click):
            tally.clicks += 1
            yield word(kind=feedback_pb2.KIND_IMPLICIT, value="click")
        if speaks < (1 - habits.skipped if fits else habits.down):
            wrong = errs < habits.wrong
            up = fits != wrong
            tally.wrong += wrong
            tally.ups += up
            tally.downs += not up
            if up:
                tally.liked.add(passage.document_id)
            yield word(kind=feedback_pb2.KIND_CHUNK, value="up" if up else "down")


async def with_retries(call: Callable[[], Awaitable[Reply]]) -> Reply:
    """Its idempotency key makes a second try the same request, also after a service's restart."""
    return await retry(call, Unavailable, first=1.0, longest=5.0, seconds=ANSWER_SECONDS)
