"""The order of the steps is data, and text leaves by sentences that every check let pass."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from gyre_common.events.interactions import GuardrailResult, InteractionCompleted, Outcome
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Ending, Examples, Piece
from gyre_generator.backends.extractive import ExtractiveReader
from gyre_generator.passages import RetrievedPassage
from gyre_generator.progress import AnswerProgress, StepResult
from gyre_generator.sentence_window import MOST_HELD, STOPPED
from gyre_generator.service import (
    Answerer,
    AnswerFinished,
    check_sentences,
)
from gyre_generator.steps.route import EXTRACTIVE, Override, route
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.bus import MemoryBus
from tests.unit.generator.conftest import steps_of

ASK = Ask("How hot should the water for green tea be?")
MakeAnswerer = Callable[..., Answerer]


async def worst_first(progress: AnswerProgress) -> AsyncGenerator[StepResult, None]:
    """A step that the service does not have: turns the ranking round, as a version of its own."""
    count = len(progress.retrieved)
    turned = tuple(p.model_copy(update={"rank": count + 1 - p.rank}) for p in progress.retrieved)
    yield StepResult(retrieved=turned, versions={"reranker": "worst-first"})


async def no_password(sentence: str) -> GuardrailResult | None:
    if "password" not in sentence:
        return None
    return GuardrailResult(name="no_secrets", passed=False, detail="a secret")


class Writer:
    """Writes piece by piece; each waits until `go_on` is set."""

    ignores = ()

    def __init__(self, *pieces: str, ending: Ending = Ending.WHOLE) -> None:
        self._pieces = pieces
        self._ending = ending
        self.go_on = asyncio.Event()
        self.written = 0
        self.closed = False

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        try:
            for piece in self._pieces:
                yield piece
                self.written += 1
            await self.go_on.wait()
            text = "".join(self._pieces)
            yield AnswerDraft(text, ending=self._ending)
        finally:
            self.closed = True


def recorded(bus: MemoryBus) -> InteractionCompleted:
    [(_, event)] = bus.published
    assert isinstance(event, InteractionCompleted)
    return event


async def test_a_step_can_be_put_between_any_two(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    await make_answerer(before_pack={"rerank": worst_first}).answer(ASK)

    event = recorded(bus)
    assert [chunk.document_id for chunk in event.retrieved if chunk.rank == 1] == ["coffee.md"]
    assert event.versions["reranker"] == "worst-first"
    assert list(event.latency_ms)[4:6] == ["rerank", "pack"]
    assert event.outcome is Outcome.ANSWERED


async def test_a_back_end_that_the_operator_set_writes_and_the_record_says_so(
    bus: MemoryBus, retriever: Any, releases: ReleaseView
) -> None:
    steps = {**steps_of(retriever.search, releases)}
    override = Override(EXTRACTIVE, "mine-1")
    backends = {EXTRACTIVE: ExtractiveReader()}
    steps["route"] = partial(route, backends=backends, releases=releases, override=override)
    ask = replace(ASK, version="extractive-1")
    finished = await Answerer(steps, bus, releases).answer(ask)

    event = recorded(bus)
    assert event.versions[Roles.GENERATOR] == "mine-1"
    assert event.fallbacks == (
        "generator: mine-1 by GYRE_GENERATOR_BACKEND instead of extractive-1",
        "generator: mine-1 ignores version",
    )
    assert finished.ignored == ("version",)


async def test_a_sentence_that_a_check_stops_never_leaves(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    backend = Writer("Water is ", "hot. The pass", "word is tea. Nobody", " reads this.")
    async with aclosing(make_answerer(backend, checks=[no_password]).stream(ASK)) as pieces:
        parts = [piece async for piece in pieces]

    texts = [part for part in parts if isinstance(part, str)]
    assert texts == ["Water is hot.", f"\n\n{STOPPED}"]
    event = recorded(bus)
    assert (event.outcome, event.answer) == (Outcome.ABSTAINED, "".join(texts))
    assert [g for g in event.guardrails if not g.passed] == [
        GuardrailResult(name="no_secrets", passed=False, detail="a secret")
    ]
    assert isinstance(parts[-1], AnswerFinished)
    assert backend.closed
    assert "password" not in event.to_json().decode()


async def test_an_answer_that_is_stopped_at_once_says_nothing_but_that(
    make_answerer: MakeAnswerer, bus: MemoryBus
) -> None:
    backend = Writer("The password is tea.")
    backend.go_on.set()

    finished = await make_answerer(backend, checks=[no_password]).answer(ASK)

    assert finished.interaction.answer == STOPPED
    assert finished.interaction.outcome is Outcome.ABSTAINED


async def test_an_answer_that_a_check_stopped_did_not_reach_its_length(
    make_answerer: MakeAnswerer,
) -> None:
    backend = Writer("Water is hot. The password is", ending=Ending.MAX_TOKENS)
    backend.go_on.set()

    assert (await make_answerer(backend).answer(ASK)).ending is Ending.MAX_TOKENS
    stopped = await make_answerer(backend, checks=[no_password]).answer(ASK)
    assert stopped.ending is Ending.WHOLE


async def test_the_first_sentence_leaves_before_the_last_is_written(
    make_answerer: MakeAnswerer,
) -> None:
    backend = Writer("Water is hot. Steep", " it.")
    async with aclosing(make_answerer(backend).stream(ASK)) as pieces:
        first = await anext(piece async for piece in pieces if isinstance(piece, str))
        assert (first, backend.closed) == ("Water is hot.", False)
        backend.go_on.set()
        *_, last = [piece async for piece in pieces]

    assert isinstance(last, AnswerFinished)
    assert last.interaction.answer == "Water is hot. Steep it."


async def parts_of(pieces: Iterable[str]) -> AsyncGenerator[str | StepResult, None]:
    for piece in pieces:
        yield piece
    yield StepResult(draft=AnswerDraft("the end"))


async def text_by_sentence(pieces: Iterable[str]) -> list[str]:
    return [p async for p in check_sentences(parts_of(pieces), ()) if isinstance(p, str)]


TEXT = (
    "Tea is hot. It takes 1.5 cups\nof it!\n\n- One item. Two\n- another\n\n"
    "```sh\nls -l. a\n```\n| a | b |\n|---|---|\n| 1. x | 2 |\n\nThe end?  "
)


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_the_window_changes_no_text_however_it_was_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[a:b] for a, b in pairwise(edges)]

    assert "".join(asyncio.run(text_by_sentence(pieces))) == TEXT


@pytest.mark.parametrize("size", [1, 7, 1_000])
async def test_whole_sentences_leave_with_what_stands_before_them(size: int) -> None:
    pieces = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    texts = await text_by_sentence(pieces)
    assert texts[:3] == ["Tea is hot.", " It takes 1.5 cups\nof it!", "\n\n- One item."]
    assert "\n\n```sh\nls -l. a\n```" in texts


async def test_a_sentence_without_an_end_leaves_in_parts() -> None:
    code = "```\n" + "x = 1\n" * 2_000
    texts = await text_by_sentence([code[at : at + 100] for at in range(0, len(code), 100)])
    assert "".join(texts) == code
    assert max(map(len, texts)) <= MOST_HELD + 100


async def test_reports_are_not_held_back() -> None:
    parts: list[Any] = [part async for part in check_sentences(parts_of(["Tea is hot."]), ())]
    assert [type(part) for part in parts] == [StepResult, str]
