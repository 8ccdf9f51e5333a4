"""The reader answers with sentences that stand in the passages, or says that it cannot."""

from typing import Any

import pytest
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft
from gyre_generator.backends.extractive import ExtractiveReader
from gyre_generator.backends.questions import ExpectedAnswerKind, analyse

POD = """# Pods

A Pod is the smallest deployable unit that you can create in Kubernetes. Pods are
grouped on nodes. You will rarely create individual Pods directly.

To create one, do the following:

1. Write a manifest.
2. Run the command below.

```shell
kubectl apply -f pod.yaml
```

| Field | Meaning |
|-------|---------|
| name  | a label |
"""


async def read(question: str, *passages: Any) -> tuple[str, AnswerDraft]:
    text = ""
    async for piece in ExtractiveReader().write(Ask(question), passages, {}):
        if isinstance(piece, str):
            text += piece
        else:
            assert isinstance(piece, AnswerDraft)
            return text, piece
    raise AssertionError("no draft")


async def test_every_sentence_is_quoted_exactly(passage: Any) -> None:
    source = passage(POD, title="Pods")
    text, draft = await read("What is a Pod?", source)

    assert text == draft.answer
    assert draft.answer.startswith("A Pod is the smallest deployable unit")
    for claim in draft.claims:
        assert claim.quote is not None
        start, end = claim.quote
        claim_text = draft.answer[claim.start : claim.end]
        assert claim_text.replace("\n", " ") == source.text[start:end].replace("\n", " ")


async def test_a_sentence_that_announces_steps_brings_them_along(passage: Any) -> None:
    _, draft = await read("How do I create one, what to do?", passage(POD, title="Pods"))

    assert "- Write a manifest.\n- Run the command below." in draft.answer
    assert "```shell\nkubectl apply -f pod.yaml\n```" in draft.answer


async def test_of_a_table_only_the_row_that_was_asked_for_answers(passage: Any) -> None:
    rows = "- Plan: Basic; Monthly price: 5 euros\n- Plan: Pro; Monthly price: 12 euros"
    text, _ = await read("What is the monthly price of the Pro plan?", passage(text=rows))
    assert text == "- Plan: Pro; Monthly price: 12 euros"
    text, _ = await read("What is the monthly price of each plan?", passage(text=rows))
    assert text == rows


async def test_headings_are_never_the_answer(passage: Any) -> None:
    _, draft = await read("What are Pods?", passage(POD, title="Pods"))

    assert "# Pods" not in draft.answer


async def test_a_question_beside_the_point_is_not_answered(passage: Any) -> None:
    text, draft = await read("Who painted the Mona Lisa in Florence?", passage(POD))

    assert (text, draft.answer, draft.abstained) == ("", "", True)
    assert not draft.guardrails[0].passed


@pytest.mark.parametrize("question", ["???", "the of and", "🙂", "what is it"])
async def test_a_question_without_content_is_not_answered(passage: Any, question: str) -> None:
    _, draft = await read(question, passage(POD))

    assert draft.abstained


async def test_the_same_sentence_is_not_said_twice(passage: Any) -> None:
    text = "The default port of the server is 8080."
    copies = [passage(f"{text} {n} is a number.", rank=n, document=f"{n}") for n in range(1, 5)]
    _, draft = await read("What is the default port of the server?", *copies)

    assert draft.answer.count(text) == 1


async def test_odd_text_does_no_harm(passage: Any) -> None:
    odd = "Tea \x00 is \ud800 hot\u2028and 😀 green. ```\nunclosed tea"
    _, draft = await read("Is tea hot and green?", passage().model_copy(update={"text": odd}))

    for claim in draft.claims:
        assert claim.quote is not None
        assert odd[slice(*claim.quote)]


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Who wrote Faust?", ExpectedAnswerKind.PERSON),
        ("When did it open?", ExpectedAnswerKind.TIME),
        ("How many pods fit on a node?", ExpectedAnswerKind.QUANTITY),
        ("Where is Mount Logan?", ExpectedAnswerKind.PLACE),
        ("Why is the sky blue?", ExpectedAnswerKind.REASON),
        ("How do I restart a pod?", ExpectedAnswerKind.MANNER),
        ("What is a Service?", ExpectedAnswerKind.DEFINITION),
        ("green tea", ExpectedAnswerKind.OTHER),
    ],
)
def test_the_form_of_a_question_is_understood(question: str, asks: ExpectedAnswerKind) -> None:
    assert asks in analyse(question).answer_kinds
