"""The second act's own parts: what is asked, what the crowd says of answers, what is shown."""

from typing import Any

import pytest
from gyre.generator.v1 import generator_pb2 as pb
from gyre.trainer.v1 import trainer_pb2
from gyre_cli.demo.corpus import FULL, SHORT, DemoQuestion, Size, generate
from gyre_cli.demo.correcting import DECLINED, ask_and_correct, nearness, token_f1
from gyre_cli.demo.measures import paired
from gyre_cli.demo.second_act import Example, SecondAct
from gyre_cli.demo.second_act_table import act_json, act_page
from gyre_cli.demo.switching import Switch
from rich.console import Console

ABSTAINED = pb.AnswerResponse(outcome=pb.OUTCOME_ABSTAINED, answer="No.")


def an_answer(text: str) -> pb.AnswerResponse:
    return pb.AnswerResponse(outcome=pb.OUTCOME_ANSWERED, answer=text)


class FakeSystem:
    """Answers every question in the same way, and keeps what is said of it."""

    def __init__(self, answer: pb.AnswerResponse) -> None:
        self._answer = answer
        self.votes: dict[str, list[tuple[str, str]]] = {}
        self.answers = self.feedback = self
        self.keys: set[str] = set()

    def with_caller(self, *, actor: str) -> "FakeSystem":
        return self

    async def ask(self, question: str, *, idempotency_key: str, timeout: float) -> Any:
        versions = {"generator": "reader"}
        reply = pb.AnswerResponse(interaction_id=question, versions=versions)
        reply.MergeFrom(self._answer)
        return reply

    async def vote(
        self, interaction_id: str, value: str, *, idempotency_key: str, correction: str = ""
    ) -> None:
        self.keys.add(idempotency_key)
        self.votes.setdefault(interaction_id, []).append((value, correction))


def asking(number: int, reply: str) -> DemoQuestion:
    return DemoQuestion(f"q{number}", f"question {number}", frozenset(), reply)


@pytest.mark.parametrize("size", [SHORT, FULL])
def test_questions_with_replies_are_about_documents_of_their_own(size: Size) -> None:
    corpus = generate(size)
    assert (len(corpus.corrected), len(corpus.untouched_answers)) == (
        size.corrected,
        size.untouched_answers,
    )
    both = (*corpus.corrected, *corpus.untouched_answers)
    known = [document for each in both for document in each.relevant]
    assert len(set(known)) == len(known)
    texts = {one.document_id: one.text for one in corpus.documents}
    for question in both:
        numbers = [word for word in question.reply.split() if word.strip(".,;:").isdigit()]
        (text,) = [texts[each] for each in question.relevant] or [""]
        assert all(number.strip(".,;:") in text for number in numbers)
        assert bool(question.reply) == bool(question.relevant)
    share = sum(not each.relevant for each in both) / len(both)
    assert share == pytest.approx(1 / 6, abs=0.03)


def test_nearness_counts_words_or_whether_it_declines_rightly() -> None:
    assert token_f1("By lever 13.", "Pull lever 13.") == pytest.approx(2 / 3)
    assert nearness(an_answer("By lever 13."), "By lever 13") == 1
    assert nearness(ABSTAINED, "By lever 13") == 0
    assert nearness(ABSTAINED, "") == 1
    assert nearness(an_answer("By lever 13."), "") == 0


async def test_the_crowd_corrects_what_it_dislikes_and_one_word_in_ten_is_wrong() -> None:
    fake: Any = FakeSystem(an_answer("Turn it off."))
    questions = [asking(number, f"By lever {number}.") for number in range(200)]
    tally = await ask_and_correct(fake, [*questions, asking(200, "")], lambda _: None, seed=1)

    assert tally.questions == 201
    assert tally.versions == {"reader": 201}
    assert tally.wrong == pytest.approx(20, abs=10)
    right = sum(fake.votes[q.text] == [("down", q.reply)] for q in questions)
    assert right >= 200 - tally.wrong
    assert fake.votes["question 200"] == [("down", DECLINED)]
    assert len(fake.keys) == 201


async def test_an_answer_as_good_as_the_reply_is_liked() -> None:
    fake: Any = FakeSystem(an_answer("By lever 7."))
    questions = [asking(number, "By lever 7.") for number in range(50)]
    tally = await ask_and_correct(fake, questions, lambda _: None, seed=1)
    assert tally.liked == 50 - tally.wrong
    assert [("up", "")] in fake.votes.values()


def test_what_it_found_is_shown_and_printed_as_json() -> None:
    act = SecondAct(
        run=trainer_pb2.Run(state="released", version="small-1"),
        quality=paired([0.2, 0.4], [0.6, 0.5]),
        last_correction_to_live_seconds=301.5,
        rollback=Switch("reader", 0.25),
        promotion=Switch("small-1", 2.5),
        example=Example("How?", "So and so.", "So."),
    )
    console = Console(width=120)
    with console.capture() as captured:
        console.print(act_page(act, "demo"))
    for text in ("30.0", "55.0", "+25.0", "302 s", "gyre rollback generator --tenant demo", "How?"):
        assert text in captured.get()
    summary: Any = act_json(act)
    assert summary["quality"]["gain"] == pytest.approx(0.25)
    assert summary["rollback"] == {"version": "reader", "seconds": 0.25}


def test_a_run_that_was_not_released_says_why() -> None:
    act = SecondAct(run=trainer_pb2.Run(state="refused", message="no gain overall"))
    console = Console(width=120)
    with console.capture() as captured:
        console.print(act_page(act, "demo"))
    assert "not released: no gain overall" in captured.get()
