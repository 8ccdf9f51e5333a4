"""Every sentence of an answer rests on one of the passages, or is known not to."""

from typing import Any

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import Outcome
from gyre_common.events.releases import Roles
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Ending
from gyre_generator.backends.extractive import ExtractiveReader
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.backends.support import SupportIndex
from gyre_generator.prompts import Prompts

from tests.builders import an_artifact
from tests.fakes.model_server import EVENTS, delta_event, model_server, once
from tests.unit.generator.conftest import COFFEE, TEA, a_passage
from tests.unit.generator.test_generator_openai import chat_client, verdict_of

ASK = Ask("How hot should water for green tea be?")
PASSAGES = (a_passage(), a_passage(COFFEE, rank=2, document="coffee.md"))
HOT = "Water for green tea should be about 80 degrees."
FALSE = "The Dutch brought the first elephants to Brazil."
STEEP = "Steep it for two minutes."


def quote_of(sentence: str) -> str | None:
    support = SupportIndex(PASSAGES, ASK.question).support(sentence)
    if support is None:
        return None
    return PASSAGES[support.number - 1].text[support.start : support.end]


@pytest.mark.parametrize(
    ("sentence", "begins"),
    [
        (HOT, "Water for green tea"),
        ("Two minutes.", "Steep it"),
        ("Coffee was first drunk in Yemen.", "It was first drunk"),
        ("Green tea leaves were not fermented.", "Green tea is made"),
        ("Yemen.", "It was first drunk"),
    ],
)
def test_a_sentence_rests_on_the_one_that_shares_its_words(sentence: str, begins: str) -> None:
    assert (quote_of(sentence) or "").startswith(begins)


@pytest.mark.parametrize(
    "sentence",
    [
        FALSE,
        "Water for green tea should be about 95 degrees Celsius.",
        "Steep it for nine minutes.",
        "It was first drunk, says Müller, in Yemen in 1450.",
        "It was first drunk in Yemen in 1451.",
    ],
)
def test_another_number_or_name_supports_nothing(sentence: str) -> None:
    assert quote_of(sentence) is None


def test_of_two_passages_that_say_the_same_the_marked_one_is_cited() -> None:
    twice = (a_passage(TEA), a_passage(TEA, rank=2, document="copy.md"))
    index = SupportIndex(twice)

    first, second = index.support(HOT), index.support(HOT, preferred={2})
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (1, 2)


async def answer(text: str, **settings: str) -> tuple[str, AnswerDraft]:
    version = an_artifact("small-1", settings=settings)
    streamed = ""
    pieces = [delta_event(text[at : at + 7]) for at in range(0, len(text), 7)]
    behave = once(EVENTS, *pieces, delta_event("", finish="stop"))
    async with model_server(behave) as server, chat_client(server.url) as client:
        backend = PromptedModel(client, Prompts())
        async for piece in backend.write(ASK, PASSAGES, {Roles.GENERATOR: version}):
            if isinstance(piece, AnswerDraft):
                assert streamed == piece.answer
                return str(len(server.requests)), piece
            streamed += piece if isinstance(piece, str) else ""
    raise AssertionError("no draft")


def cited(draft: AnswerDraft) -> list[tuple[str, int]]:
    return [(draft.answer[claim.start : claim.end], claim.number) for claim in draft.claims]


async def test_sentences_are_cited_whether_or_not_the_model_marked_them() -> None:
    _, draft = await answer(f"{HOT} It was first drunk in Yemen in 1450 [2].")

    assert cited(draft) == [(HOT, 1), ("It was first drunk in Yemen in 1450.", 2)]
    assert verdict_of(draft, "support") == (True, "2 of 2 sentences supported")


async def test_a_sentence_without_support_is_marked_and_its_own_marker_stands() -> None:
    _, draft = await answer(f"{HOT} {FALSE} {STEEP} Elephants drink tea [2].")

    assert draft.answer == f"{HOT} {FALSE} {STEEP} Elephants drink tea."
    assert cited(draft) == [(HOT, 1), (STEEP, 1), ("Elephants drink tea.", 2)]
    detail = f'2 of 4 sentences supported; not: "{FALSE}", "Elephants drink tea."'
    assert verdict_of(draft, "support") == (False, detail)


async def test_a_sentence_without_support_is_dropped() -> None:
    _, draft = await answer(f"{FALSE} {HOT}\n\n{FALSE} {STEEP} [1]", unsupported="drop")

    assert draft.answer == f"{HOT} {STEEP}"
    assert cited(draft) == [(HOT, 1), (STEEP, 1)]
    assert verdict_of(draft, "support")[1].startswith('2 of 4 sentences supported; dropped: "The')


async def test_an_answer_of_which_nothing_is_left_is_an_abstention() -> None:
    _, draft = await answer(FALSE, unsupported="drop")

    assert (draft.answer, draft.abstained, draft.ending) == ("", True, Ending.WHOLE)


async def test_an_answer_ends_before_a_sentence_that_is_held_back() -> None:
    _, draft = await answer(f"{HOT} {FALSE} {STEEP}", unsupported="hold")

    assert (draft.answer, draft.ending) == (HOT, Ending.HELD)
    assert cited(draft) == [(HOT, 1)]
    assert not verdict_of(draft, "support")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HOT} {FALSE} {STEEP}", f"{HOT}\n\nThe answer was stopped by a check."),
        (FALSE, "The answer was stopped by a check."),
    ],
)
async def test_what_is_held_back_ends_the_answer_as_a_check_does(
    make_answerer: Any, retriever: Any, releases: Any, text: str, expected: str
) -> None:
    behave = once(EVENTS, delta_event(text, finish="stop"))
    version = an_artifact("small-1", settings={"unsupported": "hold"})
    async with model_server(behave) as server, chat_client(server.url) as client:

        class Held(PromptedModel):
            def write(self, ask: Ask, passages: Any, artifacts: Any, examples: Any = ()) -> Any:
                return super().write(ask, passages, {**artifacts, Roles.GENERATOR: version})

        finished = await make_answerer(Held(client, Prompts())).answer(ASK)

    interaction = finished.interaction
    assert (interaction.answer, interaction.outcome) == (expected, Outcome.ABSTAINED)
    assert len(interaction.citations) == (1 if HOT in text else 0)


@pytest.mark.parametrize(
    ("name", "value"), [("unsupported", "forget"), ("answers_at", "often"), ("answers_at", "1.5")]
)
async def test_a_setting_that_cannot_work_is_named(name: str, value: str) -> None:
    with pytest.raises(FailedPrecondition, match=f"{name} is '{value}'"):
        await answer(HOT, **{name: value})


@pytest.mark.parametrize(("threshold", "abstains"), [("0", False), ("0.4", False), ("1", True)])
async def test_whether_the_passages_answer_is_decided_before_the_model_is_asked(
    threshold: str, abstains: bool
) -> None:
    requests, draft = await answer(HOT, answers_at=threshold)

    assert draft.abstained == abstains
    assert requests == ("0" if abstains else "1")
    assert verdict_of(draft, "answerable")[0] != abstains


async def test_a_version_that_names_no_threshold_leaves_it_to_the_model() -> None:
    _, draft = await answer("NOT_IN_THE_PASSAGES")

    assert draft.abstained
    assert "answerable" not in [verdict.name for verdict in draft.guardrails]


@pytest.mark.parametrize(("threshold", "abstains"), [("0.4", False), ("1", True)])
async def test_the_reader_goes_by_the_same_setting(threshold: str, abstains: bool) -> None:
    version = an_artifact("reader-2", settings={"answers_at": threshold})
    pieces = ExtractiveReader().write(ASK, PASSAGES, {Roles.GENERATOR: version})
    drafts = [piece async for piece in pieces if isinstance(piece, AnswerDraft)]

    assert [draft.abstained for draft in drafts] == [abstains]
