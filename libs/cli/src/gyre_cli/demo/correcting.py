"""A simulated crowd that writes what it would have liked to read in place of an answer."""

import random
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from re import findall

from gyre.generator.v1 import generator_pb2
from gyre_client import AsyncClient
from gyre_client.submission import in_turns

from gyre_cli.demo.corpus import DemoQuestion
from gyre_cli.demo.crowd import ANSWER_SECONDS, with_retries

DECLINED = "Not answered here."
_LIKED_FROM = 0.9
_WRONG = 0.1
_ACTORS = 40
_AT_ONCE = 4


@dataclass
class CorrectionTally:
    """What the crowd did; `wrong` of its words say what is not so. `versions` answered."""

    questions: int = 0
    liked: int = 0
    corrected: int = 0
    declined: int = 0
    wrong: int = 0
    versions: Counter[str] = field(default_factory=Counter)


def token_f1(answer: str, reply: str) -> float:
    """How near an answer is to the reply, from 0 to 1, by the words that both have (Rajpurkar et
    al. 2016, arXiv:1606.05250, section 6.1).
    """
    one, other = (Counter(findall(r"\w+", text.casefold())) for text in (answer, reply))
    common = (one & other).total()
    return 2 * common / (one.total() + other.total()) if common else 0.0


def nearness(answer: generator_pb2.AnswerResponse, reply: str) -> float:
    """`token_f1` where a reply is wanted and given; else whether it declines rightly."""
    declines = answer.outcome == generator_pb2.OUTCOME_ABSTAINED
    if declines or not reply:
        return float(declines and not reply)
    return token_f1(answer.answer, reply)


async def ask_and_correct(
    gyre: AsyncClient, questions: Sequence[DemoQuestion], show: Callable[[int], None], *, seed: int
) -> CorrectionTally:
    """Each question once. An answer that is as good as the reply is liked, any other one voted down
    and corrected; one correction in ten is that of another question.
    """
    tally = CorrectionTally()
    replies = [question.reply or DECLINED for question in questions]

    async def one(turn: tuple[int, DemoQuestion]) -> None:
        number, question = turn
        chance = random.Random(f"{seed}/{number}/{question.question_id}")
        person = gyre.with_caller(actor=f"crowd-{chance.randrange(_ACTORS)}")
        answer = await ask(person, question)
        tally.questions += 1
        tally.versions[answer.versions["generator"]] += 1
        wrong = chance.random() < _WRONG
        if nearness(answer, question.reply) >= _LIKED_FROM and not wrong:
            tally.liked += 1
            value, correction = "up", ""
        else:
            reply = chance.choice(replies) if wrong else replies[number]
            tally.wrong += wrong
            tally.corrected += reply != DECLINED
            tally.declined += reply == DECLINED
            value, correction = "down", reply
        key = str(uuid.uuid4())
        await with_retries(
            lambda: person.feedback.vote(
                answer.interaction_id, value, correction=correction, idempotency_key=key
            )
        )
        show(tally.questions)

    await in_turns(list(enumerate(questions)), one, _AT_ONCE)
    return tally


async def ask(gyre: AsyncClient, question: DemoQuestion) -> generator_pb2.AnswerResponse:
    """The answer that everybody gets."""
    key = str(uuid.uuid4())
    return await with_retries(
        lambda: gyre.answers.ask(question.text, idempotency_key=key, timeout=ANSWER_SECONDS)
    )
