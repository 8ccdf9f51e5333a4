"""Examples in the prompt: the nearest that a caller may read, within a budget, or none and why."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from gyre.retriever.v1.retriever_pb2 import Filters
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.events.interactions import ExampleDocument, InteractionCompleted
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import ModelFolders, keep_model
from gyre_common.prompt_examples import (
    EXAMPLES_FILE,
    ExampleSettings,
    PromptExample,
    example_settings,
    read_examples,
    write_examples,
)
from gyre_common.releases import ReleaseView
from gyre_common.releases.builtin import ANSWER_PROMPTS
from gyre_common.store import Store
from gyre_generator.ask import Ask
from gyre_generator.backends import Backend
from gyre_generator.backends.extractive import ExtractiveReader
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.examples import MOST_SHOWN, ExampleSet, ExampleSets, within_budget
from gyre_generator.prompts import Prompts
from gyre_generator.service import Answerer
from gyre_generator.version_trial import PromptTrial

from tests.builders import a_release, an_artifact
from tests.fakes.bus import MemoryBus
from tests.fakes.model_server import DONE, EVENTS, delta_event, model_server, once
from tests.unit.generator.conftest import FakeRetriever, steps_of
from tests.unit.generator.test_generator_openai import chat_client
from tests.unit.generator.test_generator_window import a_model, tokens_of

HOT = once(EVENTS, delta_event("About 80 degrees [1].", finish="stop"), DONE)
TEMPLATE = "answer-examples-1"
STAFF = RequestContext(acl=("staff",))
CANARY = "mauve-pelican"


def an_example(
    question: str, answer: str = "At 80 degrees.", *documents: str, **fields: Any
) -> PromptExample:
    own: dict[str, Any] = {"tenant": "default", "documents": documents or ("tea.md",), **fields}
    return PromptExample(question=question, answer=answer, **own)


EXAMPLES = (
    an_example("How hot should the kettle be?", f"Set it to {CANARY}.", "tea.md", "plans.md"),
    an_example("How hot should the water for black tea be?", "At 95 degrees.", "tea.md"),
    an_example("Who roasts coffee?", "Roasters do.", "coffee.md"),
)


async def a_version(tmp_path: Path, examples: Sequence[PromptExample], **settings: str) -> Artifact:
    """In the store of `ask`'s generator."""
    folder = tmp_path / "version"
    folder.mkdir()
    write_examples(folder / EXAMPLES_FILE, examples)
    stored = await keep_model(Store(f"file://{tmp_path}/store"), folder)
    own = ExampleSettings(template=TEMPLATE, template_digest=ANSWER_PROMPTS[TEMPLATE])
    return an_artifact(
        "answer-few-1",
        digest=stored.digest,
        uri=stored.uri,
        settings={**own.as_settings(), **settings},
    )


@pytest.fixture
async def sets(tmp_path: Path) -> AsyncIterator[ExampleSets]:
    folders = ModelFolders(Store(f"file://{tmp_path}/store"), tmp_path / "cache")
    async with ExampleSets(folders) as sets:
        yield sets


class Room:
    """A generator with a model and a version of the prompt that has examples."""

    def __init__(self, sets: ExampleSets, releases: ReleaseView, retriever: FakeRetriever) -> None:
        self.sets, self.releases, self.retriever = sets, releases, retriever
        retriever.acls = {"tea.md": (), "coffee.md": (), "plans.md": ("staff",)}

    def promote(self, prompt: Artifact) -> None:
        self.releases.apply(
            a_release(Roles.ANSWER_PROMPT, live=prompt.version, artifacts=(prompt,), generation=9)
        )

    async def ask(
        self,
        caller: RequestContext | None = None,
        *,
        backend: Backend | None = None,
        **fields: Any,
    ) -> InteractionCompleted:
        """What is recorded of a question about hot water."""
        bus = MemoryBus(service="generator")
        async with model_server(HOT) as server, chat_client(server.url) as client:
            writer = backend or PromptedModel(client, Prompts())
            steps = steps_of(
                self.retriever.search,
                self.releases,
                writer,
                examples=self.sets,
                readable=self.retriever.readable,
            )
            ask = Ask(**{"question": "How hot should the water for green tea be?", **fields})
            with use_context(caller or RequestContext()):
                await Answerer(steps, bus, self.releases).answer(ask)
        [(_, event)] = bus.published
        assert isinstance(event, InteractionCompleted)
        return event


@pytest.fixture
def room(sets: ExampleSets, releases: ReleaseView, retriever: FakeRetriever) -> Room:
    return Room(sets, releases, retriever)


def questions(examples: Sequence[Any]) -> list[str]:
    return [each.question for each in examples]


def test_the_nearest_share_most_of_the_rare_words() -> None:
    examples = ExampleSet(EXAMPLES)

    nearest = examples.nearest("How hot is water for black tea?", most=2)
    assert questions(nearest) == [EXAMPLES[1].question, EXAMPLES[0].question]
    assert questions(examples.nearest("roasted coffee", most=5)) == [EXAMPLES[2].question]


@pytest.mark.parametrize("question", ["Zebra?", "what is it", "?", ""])
def test_no_example_is_near_a_question_of_other_words(question: str) -> None:
    assert ExampleSet(EXAMPLES).nearest(question, most=5) == []
    assert ExampleSet([an_example("?", "!")]).nearest(question, most=5) == []


READABLE: dict[str, tuple[str, ...]] = {"tea.md": (), "coffee.md": ()}


def test_the_nearest_stands_last_beside_the_question() -> None:
    chosen = within_budget(EXAMPLES[1:], READABLE, tokens=1_000)
    assert questions(chosen) == [EXAMPLES[2].question, EXAMPLES[1].question]


def test_an_example_all_of_whose_documents_cannot_be_read_is_left_out() -> None:
    assert questions(within_budget(EXAMPLES, READABLE, tokens=1_000)) == [
        EXAMPLES[2].question,
        EXAMPLES[1].question,
    ]
    assert within_budget(EXAMPLES, {}, tokens=1_000) == ()


def test_examples_are_shown_whole_and_within_the_budget() -> None:
    long = an_example("How hot?", "Very hot. " * 100)
    assert questions(within_budget([long, EXAMPLES[1]], READABLE, tokens=100)) == [
        EXAMPLES[1].question
    ]
    assert within_budget([long, EXAMPLES[1]], READABLE, tokens=0) == ()
    many = [an_example(f"How hot is tea {n}?") for n in range(100)]
    assert len(within_budget(many, READABLE, tokens=10_000)) == MOST_SHOWN


async def test_the_prompt_shows_the_nearest_and_the_record_says_what_they_rest_on(
    room: Room, tmp_path: Path
) -> None:
    room.promote(await a_version(tmp_path, EXAMPLES))

    event = await room.ask()
    assert event.prompt_version == "answer-few-1"
    assert event.versions[Roles.ANSWER_PROMPT] == "answer-few-1"
    example = "Question:\n> How hot should the water for black tea be?\nAnswer:\n> At 95 degrees."
    assert example in event.prompt
    assert event.prompt.index(example) < event.prompt.index("Passages:")
    assert event.example_documents == (ExampleDocument(document_id="tea.md"),)
    assert "exemplify" in event.latency_ms
    assert event.fallbacks == ()


async def test_an_example_is_shown_only_to_those_who_may_read_all_that_it_quotes(
    room: Room, tmp_path: Path
) -> None:
    room.promote(await a_version(tmp_path, EXAMPLES))

    outsider, insider = await room.ask(), await room.ask(STAFF)
    assert CANARY not in outsider.prompt
    assert CANARY in insider.prompt
    assert ExampleDocument(document_id="plans.md", acl=("staff",)) in insider.example_documents


async def test_an_example_of_another_tenant_is_never_shown(room: Room, tmp_path: Path) -> None:
    foreign = [each.model_copy(update={"tenant": "acme"}) for each in EXAMPLES]
    room.promote(await a_version(tmp_path, foreign))
    event = await room.ask(STAFF)
    assert "Examples:" not in event.prompt
    assert event.example_documents == ()


async def test_an_example_goes_with_a_document_that_was_deleted_or_restricted_since(
    room: Room, tmp_path: Path
) -> None:
    room.promote(await a_version(tmp_path, EXAMPLES))
    assert "At 95 degrees." in (await room.ask()).prompt

    room.retriever.acls["tea.md"] = ("staff",)
    assert "At 95 degrees." not in (await room.ask()).prompt
    assert "At 95 degrees." in (await room.ask(STAFF)).prompt
    del room.retriever.acls["tea.md"]
    assert "At 95 degrees." not in (await room.ask(STAFF)).prompt


async def test_the_filters_of_the_request_hold_for_examples(room: Room, tmp_path: Path) -> None:
    room.promote(await a_version(tmp_path, EXAMPLES))
    await room.ask(filters=Filters(metadata={"team": "x"}))
    assert room.retriever.looked_up[0].filters.metadata == {"team": "x"}


async def test_without_the_retrievers_word_no_example_is_shown(room: Room, tmp_path: Path) -> None:
    room.promote(await a_version(tmp_path, EXAMPLES))

    async def readable(request: object) -> Any:
        raise Unavailable("the index is down")

    room.retriever.readable = readable  # type: ignore[method-assign]
    event = await room.ask()
    assert "Examples:" not in event.prompt
    assert event.fallbacks == ("prompt/answer: no examples: the index is down",)
    assert event.example_documents == ()
    assert event.outcome == "answered"


async def test_who_names_the_version_is_told_why_it_has_no_examples(
    room: Room, tmp_path: Path
) -> None:
    room.promote(await a_version(tmp_path, EXAMPLES))
    named = RequestContext(versions={Roles.ANSWER_PROMPT: "answer-few-1"})
    assert "Examples:" in (await room.ask(named)).prompt

    async def readable(request: object) -> Any:
        raise Unavailable("the index is down")

    room.retriever.readable = readable  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="the index is down"):
        await room.ask(named)


async def test_files_that_are_broken_cost_the_examples_and_no_answer(
    room: Room, tmp_path: Path
) -> None:
    version = await a_version(tmp_path, EXAMPLES)
    room.promote(version.model_copy(update={"uri": version.uri and version.uri[:-1] + "x"}))

    event = await room.ask()
    assert event.outcome == "answered"
    assert "Examples:" not in event.prompt
    [fallback] = event.fallbacks
    assert fallback.startswith("prompt/answer: no examples: answer-few-1 cannot be served here")


async def test_a_version_is_tried_before_it_goes_live(room: Room, tmp_path: Path) -> None:
    good = await a_version(tmp_path, EXAMPLES)
    changed = {**good.settings, "template_digest": "sha256:" + "1" * 64}
    bad: dict[str, dict[str, Any]] = {
        "no-files": {"digest": "sha256:" + "2" * 64, "uri": good.uri and good.uri[:-1] + "x"},
        "other-template": {"settings": changed},
    }
    versions = [good, *(good.model_copy(update={"version": n, **of}) for n, of in bad.items())]
    room.releases.apply(
        a_release(Roles.ANSWER_PROMPT, live=good.version, artifacts=tuple(versions), generation=9)
    )
    trial = PromptTrial(Prompts(), room.releases, room.sets)

    await trial.try_version(good.version)
    with pytest.raises(FailedPrecondition, match="no-files cannot be served here"):
        await trial.try_version("no-files")
    with pytest.raises(FailedPrecondition, match="answer-examples-1 is not the file"):
        await trial.try_version("other-template")
    with pytest.raises(FailedPrecondition, match="has no version nobody"):
        await trial.try_version("nobody")


async def test_what_quotes_needs_no_examples(room: Room, tmp_path: Path) -> None:
    room.promote(await a_version(tmp_path, EXAMPLES))
    event = await room.ask(backend=ExtractiveReader())
    assert (event.example_documents, event.fallbacks) == ((), ())
    assert room.retriever.looked_up == []


async def test_examples_give_way_where_the_window_is_too_short_for_both(
    room: Room, tmp_path: Path
) -> None:
    room.promote(await a_version(tmp_path, [an_example("How hot is water?", "Very hot. " * 150)]))
    async with a_model(600) as (_, model):
        event = await room.ask(backend=model)
    assert event.outcome == "answered"
    assert "Examples:" not in event.prompt
    [fallback] = event.fallbacks
    assert fallback.startswith("prompt/answer: no examples: ")


async def test_examples_count_against_the_window(room: Room, tmp_path: Path) -> None:
    room.promote(await a_version(tmp_path, [an_example("How hot is water?", "Very hot. " * 20)]))
    async with a_model(700) as (server, model):
        event = await room.ask(backend=model)
        assert "Examples:" in event.prompt
        assert tokens_of(server, server.requests[-1]) + server.requests[-1]["max_tokens"] <= 700


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            '{"tenant": "a", "question": "", "answer": "b", "documents": ["a"]}',
            "line 1 is no example: question",
        ),
        (
            '{"tenant": "a", "question": "a", "answer": "b", "documents": []}',
            "line 1 is no example: documents",
        ),
        ("", "does not have 1 to 5,000 examples"),
        ("nonsense", "line 1 is no example: line: Invalid JSON"),
    ],
)
def test_a_line_that_is_no_example_is_named(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / EXAMPLES_FILE).write_text(f"{line}\n" if line else "")
    with pytest.raises(FailedPrecondition, match=problem):
        read_examples(tmp_path / EXAMPLES_FILE)


def test_settings_that_cannot_be_are_named() -> None:
    assert example_settings(an_artifact("answer-2")) is None
    digest = ANSWER_PROMPTS[TEMPLATE]
    settings = {"template": TEMPLATE, "template_digest": digest, "example_tokens": "many"}
    with pytest.raises(FailedPrecondition, match="its setting example_tokens is no good"):
        example_settings(an_artifact("answer-few-1", settings=settings))
