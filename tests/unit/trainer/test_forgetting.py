"""What is forgotten is nowhere in the store any more, whatever was killed, and never comes back."""

import io
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from gyre_common import store
from gyre_common.errors import Conflict, InvalidInput, Retryable
from gyre_common.events.event import EVERY_TENANT, now
from gyre_common.events.feedback import FeedbackKind, FeedbackReceived
from gyre_common.events.interactions import ExampleDocument, InteractionCompleted, Turn
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.data_set_store import FOLDER as DATA_SETS
from gyre_trainer.data_sets.data_set_store import DataSetStore
from gyre_trainer.data_sets.freezing import freeze
from gyre_trainer.data_sets.profiles import Profile
from gyre_trainer.forgetting import ErasureCounts, Forgetting
from gyre_trainer.recipes.query_encoder.inputs import QueryEncoderFiles
from gyre_trainer.runs.folder import Prepared, RunFolders, write_json
from gyre_trainer.segments import FOLDER, Collector, Segments
from gyre_trainer.segments.erasure import Subject, SubjectKind
from gyre_trainer.segments.facts import ExampleSource, Fact, InteractionFact
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS, JUDGEMENTS, STREAMS

from tests.builders import a_feedback, a_retrieved_chunk
from tests.unit.trainer.make_store import a_question, its_verdict, its_votes
from tests.unit.trainer.run_fakes import a_spec

QUESTIONS = 36
PARTITIONS = 2
LITTLE = Profile("little", 3, 1, 1, 1.0, 0.15)
CANARY = "canary"
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)

ACTOR = Subject("acme", SubjectKind.ACTOR, "canary-ann")
CONVERSATION = Subject("acme", SubjectKind.CONVERSATION, "canary-talk")
DOCUMENT = Subject("acme", SubjectKind.DOCUMENT, "canary.md")
OF_OTHERS = ("other words", "other passage text of somebody else, as long as passages are")


@dataclass
class Room:
    """The part of a trainer that keeps facts, over a folder."""

    path: Path

    def __post_init__(self) -> None:
        url = f"file://{self.path}/store"
        self.segments = Segments(Shelf(url, FOLDER), records=20, merge_at=3)
        self.data_sets = DataSetStore(Store(url), Shelf(url, DATA_SETS))
        self.folders = RunFolders(self.path / "runs", keep_newest=5)
        self.busy = False
        self.forgetting = Forgetting(
            self.segments,
            self.data_sets,
            self.folders,
            current_window=self.segments.durable,
            without_runs=self._without_runs,
        )

    @asynccontextmanager
    async def _without_runs(self, tenant: str) -> AsyncIterator[None]:
        if self.busy:
            raise Conflict("a run goes on")
        yield

    async def collect(self, questions: list[InteractionCompleted]) -> None:
        """Everything that is said, from offset 0 on."""
        collector = Collector(self.segments)
        feedback = [
            one for at, interaction in enumerate(questions) for one in feedback_on(at, interaction)
        ]
        verdicts = list(map(its_verdict, questions))
        await collector.collect(INTERACTIONS, _records(questions))
        await collector.collect(JUDGEMENTS, _records(verdicts))
        await collector.collect(FEEDBACK, _records(feedback))

    async def freeze(self, tenant: str) -> None:
        """A data set of all there is, and the folder of a run that trained on it."""
        window = await self.segments.durable()
        frozen = await freeze(self.segments, tenant=tenant, profile=LITTLE, window=window)
        await self.data_sets.keep(frozen, now())
        folder = self.folders.create(a_spec(run_id=UUID(int=len(tenant)), tenant=tenant))
        write_json(folder.prepared_file, Prepared(data_set=frozen.digest))
        questions = QueryEncoderFiles(folder).questions
        write_json(questions, {"question": CANARY if tenant == ACTOR.tenant else ""})

    async def facts(self) -> list[Fact]:
        window = await self.segments.durable()
        parts = [part async for part in self.segments.facts(window, EVERY_TENANT)]
        facts: list[Fact] = []
        for part in parts:
            facts += [*part.interactions, *part.feedback, *part.judgements]
        return facts

    def holds(self, word: str) -> list[str]:
        """The files in which a word occurs, by name or content, decompressed too."""
        return [
            str(path)
            for path in self.path.rglob("*")
            if path.is_file() and word in f"{path} {_content(path)}"
        ]


def _records(events: Sequence[Any]) -> list[Any]:
    """An interaction and all that is said of it share a partition."""
    ends = [0] * PARTITIONS
    records = []
    for event in events:
        partition = event.interaction_id.int % PARTITIONS
        raw = SimpleNamespace(partition=partition, offset=ends[partition])
        records.append(SimpleNamespace(event=event, raw=raw))
        ends[partition] += 1
    return records


def _happened_at(fact: Fact) -> datetime:
    time = {stream.fact: stream.time for stream in STREAMS}[type(fact)]
    moment: datetime = getattr(fact, time)
    return moment


def _content(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".parquet":
        return f"{data!r} {pq.read_table(io.BytesIO(data)).to_pylist()}"
    return repr(data)


def feedback_on(number: int, interaction: InteractionCompleted) -> list[FeedbackReceived]:
    """Votes and a correction by who asked."""
    with_canary = CANARY in interaction.to_json().decode()
    correction = a_feedback(
        tenant=interaction.tenant,
        interaction_id=interaction.interaction_id,
        feedback_id=UUID(int=number),
        kind=FeedbackKind.CORRECTION,
        value="a canary correction" if with_canary else "a correction",
        comment="a canary comment" if with_canary else "a comment",
    )
    feedback = [*its_votes(number, interaction), correction]
    return [one.model_copy(update={"actor": interaction.actor}) for one in feedback]


def a_passage(text: str, document_id: str, number: int) -> object:
    return a_retrieved_chunk(
        chunk_id=UUID(int=number), document_id=document_id, text=text, title=text[:9], rank=9
    )


def everything() -> list[InteractionCompleted]:
    """Questions of many, and among them some that say canary."""
    questions = [a_question(number, actor=f"user-{number % 5}") for number in range(QUESTIONS)]
    shared = a_passage(OF_OTHERS[1], "other.md", 900)
    quoted = a_passage("the canary passage, which is long enough to be quoted", "canary.md", 901)
    return [
        *questions,
        a_question(
            100,
            tenant="acme",
            actor=ACTOR.name,
            conversation_id=CONVERSATION.name,
            question="a canary question",
            answer="a canary answer",
            history=(Turn(role="user", content="an earlier canary"),),
            prompt="the canary passage, which is long enough to be quoted: a canary question",
            retrieved=(*a_question(100).retrieved, shared, quoted),
        ),
        a_question(  # somebody else goes on in that conversation
            101,
            tenant="acme",
            actor="user-1",
            conversation_id=CONVERSATION.name,
            question="and then?",
            query="a canary question\nand then?",
            history=(Turn(role="user", content="a canary question"),),
            retrieved=(*a_question(101).retrieved, shared),
        ),
        a_question(
            102,
            tenant="acme",
            question=OF_OTHERS[0],
            retrieved=(shared, *a_question(102).retrieved),
        ),
    ]


@pytest.fixture
async def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    await room.collect(everything())
    await room.freeze("acme")
    await room.freeze("other")
    assert len(room.holds(CANARY)) > 5
    return room


@pytest.mark.parametrize("subject", [ACTOR, CONVERSATION], ids=lambda subject: subject.kind)
async def test_nothing_of_a_person_or_conversation_is_left_and_all_else_is_as_it_was(
    room: Room, subject: Subject
) -> None:
    before = await room.facts()
    forgotten = await room.forgetting.forget(subject)
    assert room.holds(CANARY) == []
    gone = {
        str(interaction.interaction_id)
        for interaction in everything()
        if CANARY in str(interaction)
    }
    assert await room.facts() == [fact for fact in before if fact.interaction_id not in gone]
    assert forgotten == ErasureCounts(
        interactions=2, cleared_interactions=0, feedback=6, passages=4, data_sets=1, runs=1
    )
    assert all(map(room.holds, OF_OTHERS))


async def test_a_forgotten_document_leaves_the_questions_that_it_was_shown_for(room: Room) -> None:
    room_of_words = [f for f in everything() if "canary.md" in str(f)]
    forgotten = await room.forgetting.forget(DOCUMENT)
    assert (forgotten.interactions, forgotten.cleared_interactions, forgotten.passages) == (0, 2, 1)
    assert room.holds("canary.md") == room.holds("canary passage") == []
    assert room.holds("canary correction") == room.holds("canary answer") == []
    [fact] = [
        fact
        for fact in await room.facts()
        if isinstance(fact, InteractionFact)
        and fact.interaction_id == str(room_of_words[0].interaction_id)
    ]
    assert fact.question == "a canary question"
    assert (fact.answer, fact.prompt, fact.history) == ("", "", ())
    assert [one.document_id for one in fact.shown][3:] == ["other.md"]


async def test_a_forgotten_document_leaves_no_prompt_with_an_example_that_rests_on_it(
    tmp_path: Path,
) -> None:
    room = Room(tmp_path)
    sources = (ExampleDocument(document_id="canary.md"), ExampleDocument(document_id="other.md"))
    question = a_question(
        7, tenant="acme", prompt="> an example: a canary answer", example_documents=sources
    )
    await room.collect([question])

    await room.forgetting.forget(DOCUMENT)
    assert room.holds("canary answer") == room.holds("canary.md") == []
    [fact] = [one for one in await room.facts() if isinstance(one, InteractionFact)]
    assert fact.example_documents == (ExampleSource("other.md"),)
    assert fact.shown


@pytest.mark.parametrize("subject", [ACTOR, CONVERSATION], ids=lambda subject: subject.kind)
async def test_what_somebody_wrote_is_left_in_no_prompt_as_an_example(
    tmp_path: Path, subject: Subject
) -> None:
    room = Room(tmp_path)
    by_canary = everything()[QUESTIONS]
    shown_to_others = a_question(
        7,
        tenant="acme",
        actor="user-2",
        prompt="> an example: what ann wrote",
        example_documents=(ExampleDocument(document_id="tea.md"),),
    )
    await room.collect([by_canary, shown_to_others])

    forgotten = await room.forgetting.forget(subject)
    assert room.holds("what ann wrote") == room.holds(CANARY) == []
    assert (forgotten.interactions, forgotten.cleared_interactions) == (1, 1)
    [fact] = [one for one in await room.facts() if isinstance(one, InteractionFact)]
    assert (fact.prompt, fact.answer) == ("", shown_to_others.answer)
    assert fact.shown


async def test_the_same_name_in_another_tenant_is_somebody_else(room: Room) -> None:
    before = room.holds(CANARY)
    forgotten = await room.forgetting.forget(replace(ACTOR, tenant="other"))
    assert (forgotten.interactions, forgotten.data_sets, forgotten.runs) == (0, 0, 1)
    assert [path for path in before if "/store/" in path] == [
        path for path in room.holds(CANARY) if "/store/" in path
    ]


async def test_other_tenants_data_sets_and_runs_stay(room: Room) -> None:
    await room.forgetting.forget(ACTOR)
    [stored] = await room.data_sets.of_tenant("other")
    assert stored.expired_at is None
    [expired] = await room.data_sets.of_tenant("acme")
    assert expired.expired_at is not None
    assert [path.name for path in (room.path / "runs").iterdir()] == [str(UUID(int=5))]


@pytest.mark.parametrize("subject", [ACTOR, DOCUMENT], ids=lambda subject: subject.kind)
async def test_killed_at_any_write_it_is_finished_by_the_next_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: Subject
) -> None:
    words = {ACTOR: CANARY, DOCUMENT: "canary.md"}
    whole = Room(tmp_path / "whole")
    await whole.collect(everything()[QUESTIONS - 12 :])
    await whole.freeze("acme")
    for kill_at in range(1, 100):
        room = Room(shutil.copytree(whole.path, tmp_path / str(kill_at)))
        with monkeypatch.context() as patched:
            writes = _killed_at(kill_at, patched)
            try:
                await room.forgetting.forget(subject)
            except Retryable:
                pass
            else:
                assert writes() < kill_at
                break
        if kill_at == 1:
            assert room.holds(CANARY)  # not even on record
            continue
        await Room(room.path).forgetting.forget_due(OLDEST)
        assert room.holds(words[subject]) == [], kill_at
        assert await Room(room.path).segments.erasures.unfinished() == []
    assert kill_at > 10


def _killed_at(number: int, patched: pytest.MonkeyPatch) -> Callable[[], int]:
    """The write of that number fails, and all that follow."""
    writes = 0

    def killing(write: Callable[..., object]) -> Callable[..., object]:
        def killed(*arguments: object) -> object:
            nonlocal writes
            writes += 1
            if writes >= number:
                raise Retryable("killed")
            return write(*arguments)

        return killed

    for name in ("_put_once", "_replace", "_delete"):
        patched.setattr(store, name, killing(getattr(store, name)))
    return lambda: writes


async def test_topics_that_are_read_again_bring_nothing_back(room: Room) -> None:
    await room.forgetting.forget(ACTOR)
    remaining = await room.facts()
    for path in (room.path / "store" / FOLDER).glob("*.v1/*/*"):
        path.unlink()
    again = Room(room.path)
    await again.collect(everything())
    assert again.holds(CANARY) == []
    assert len(await again.facts()) == len(remaining)


async def test_what_was_not_collected_yet_when_it_was_forgotten_never_is(tmp_path: Path) -> None:
    room = Room(tmp_path)
    await room.forgetting.forget(ACTOR)
    await room.forgetting.forget(DOCUMENT)
    await room.collect(everything()[:-2])
    assert room.holds(CANARY) == []
    assert room.holds("part7")


async def test_who_comes_back_is_a_new_subject(room: Room) -> None:
    await room.forgetting.forget(ACTOR)
    later = a_question(200, tenant="acme", actor=ACTOR.name, completed_at=now() + timedelta(1))
    [erasure] = await room.segments.erasures.all()
    interaction = next(iter(await room.facts()))
    assert isinstance(interaction, InteractionFact)
    back = replace(interaction, tenant="acme", actor=later.actor, completed_at=later.completed_at)
    assert erasure.apply(back) == back
    assert erasure.apply(replace(back, completed_at=erasure.until)) is None


async def test_the_record_of_an_erasure_names_nobody(room: Room) -> None:
    await room.forgetting.forget(ACTOR)
    records = list((room.path / "store" / FOLDER / "erasures").iterdir())
    assert len(records) == 3
    assert not [path for path in records if b"ann" in path.read_bytes()]


async def test_while_a_run_goes_on_nothing_is_begun(room: Room) -> None:
    room.busy = True
    with pytest.raises(Conflict):
        await room.forgetting.forget(ACTOR)
    with pytest.raises(Conflict):
        await room.forgetting.forget_due(OLDEST)
    assert await room.segments.erasures.unfinished() == []


async def test_nobody_is_not_a_subject(room: Room) -> None:
    with pytest.raises(InvalidInput, match="actor is empty: say what is to be forgotten"):
        await room.forgetting.forget(replace(ACTOR, name=""))


async def test_a_name_longer_than_any_is_refused(room: Room) -> None:
    with pytest.raises(InvalidInput, match="actor has 513 characters: send at most 512"):
        await room.forgetting.forget(replace(ACTOR, name="x" * 513))


async def test_facts_that_are_too_old_go_with_their_texts_data_sets_and_runs(room: Room) -> None:
    before = await room.facts()
    oldest = everything()[-1].completed_at
    await room.forgetting.forget_due(oldest)
    remaining = await room.facts()
    assert remaining == [fact for fact in before if _happened_at(fact) >= oldest]
    assert 0 < len(remaining) < len(before)
    assert room.holds(CANARY) == room.holds("part7") == []
    assert room.holds(OF_OTHERS[1])
    assert all(one.expired_at for one in await room.data_sets.of_tenant(None))
    assert list((room.path / "runs").iterdir()) == []


async def test_what_was_collected_is_known_when_every_fact_of_it_is_too_old(room: Room) -> None:
    ends = {place: end for place, (_, end) in (await room.segments.durable()).items()}
    await room.forgetting.forget_due(now() + timedelta(days=1))
    assert await room.facts() == []
    window = await room.segments.durable()
    assert {place: end for place, (_, end) in window.items()} == ends
    await room.collect(everything())
    assert await room.facts() == []
