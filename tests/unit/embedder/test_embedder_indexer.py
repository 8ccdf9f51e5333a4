from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from gyre_common.document_index import DocumentRecord, DocumentState
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.events.documents import (
    DocumentChunked,
    DocumentIndexed,
    ForShadow,
    QuarantineVerdict,
)
from gyre_common.events.releases import ReleaseChanged, Roles
from gyre_common.releases import ReleaseView
from gyre_common.store import Store
from gyre_common.telemetry import METRICS
from gyre_embedder import chunk_writer, shadow
from gyre_embedder.chunk_index import DocumentKey, Head
from gyre_embedder.chunk_writer import ChunkWriter
from gyre_embedder.encoders import EncodedText, Encoders, Side
from gyre_embedder.service import Indexer
from gyre_embedder.shadow import Change, ShadowFiller

from tests.builders import (
    MORNING,
    a_chunk,
    a_document_chunked,
    a_document_rejected,
    a_release,
    a_screening,
    an_artifact,
)
from tests.fakes.embedder import HashEncoder, MemoryIndex, MemoryModels

NAMES = UUID("5b1a0000-0000-4000-8000-000000000000")
INDEX = "chunks-1"


def a_document(
    revision: int, *texts: str, document_id: str = "d", **fields: object
) -> DocumentChunked:
    chunks = tuple(
        a_chunk(chunk_id=uuid5(NAMES, f"{document_id}/{text}"), ordinal=ordinal, text=text)
        for ordinal, text in enumerate(texts)
    )
    return a_document_chunked(
        document_id=document_id, revision=revision, chunks=chunks, title="T", **fields
    )


def encoder_release(
    version: str = "e-1", index: str = INDEX, generation: int = 1
) -> ReleaseChanged:
    artifact = an_artifact(version, index=index)
    return a_release(
        Roles.DOCUMENT_ENCODER, live=version, artifacts=(artifact,), generation=generation
    )


class HandledUntil:
    """Implements `LiveGroup`: one that has handled what lies below an offset."""

    def __init__(self) -> None:
        self.offset = 0

    async def has_handled(self, change: Change) -> bool:
        return change.offset < self.offset


class Room:
    """An indexer with all that it needs, in memory."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.encoder = HashEncoder()
        self.releases = ReleaseView()
        self.models = MemoryModels({"e-1": self.encoder})
        self.encoders = Encoders(self.models, self.releases, most_bytes=100)
        self.live = HandledUntil()
        self.restart()

    def restart(self) -> None:
        """Another process: what the indexer had in memory is gone."""
        writer = ChunkWriter(self.index, self.encoders, Store("memory://"))
        self.indexer = Indexer(self.index, writer, self.releases)
        self.filler = ShadowFiller(self.index, writer, self.releases, self.live)

    async def release(self, change: ReleaseChanged) -> None:
        self.releases.apply(change)
        await self.encoders.hold()
        self.encoder.encoded_texts.clear()

    async def apply(self, *documents: DocumentChunked) -> list[int]:
        """How many events each document led to; the shadow's index comes after the live one."""
        counts = [len(events or ()) for events in await self.indexer.index(documents)]
        await self.fill(*documents)
        return counts

    async def fill(self, *documents: DocumentChunked) -> list[bool]:
        """The shadow's index alone; returns which are done."""
        changes = [Change(each, 0, number) for number, each in enumerate(documents)]
        unfinished = await self.filler.fill(changes)
        return [change not in unfinished for change in changes]

    async def indexed(self, document: DocumentChunked) -> DocumentIndexed:
        """What is told of a document."""
        (events,) = await self.indexer.index([document])
        assert events is not None
        (event,) = events
        return event

    def texts(self, index: str = INDEX) -> list[str]:
        stored = self.index.chunks.by_index[index].values()
        return [each.chunk.text for each in sorted(stored, key=lambda each: each.chunk.ordinal)]

    def record(self, document_id: str = "d") -> DocumentRecord:
        return self.index.records[DocumentKey("default", document_id)]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    async with room.encoders:
        await room.release(encoder_release())
        yield room


async def test_a_new_document_is_encoded_with_its_title_and_headings(room: Room) -> None:
    event = await room.indexed(a_document(1, "one", "two"))
    assert room.texts() == ["one", "two"]
    assert room.encoder.encoded_texts == [
        ("T > Tea\none", Side.DOCUMENT),
        ("T > Tea\ntwo", Side.DOCUMENT),
    ]
    assert (event.chunk_count, event.encoded_count, event.index) == (2, 2, INDEX)
    assert (room.record().state, room.record().revision) == (DocumentState.INDEXED, 1)


async def test_a_change_encodes_only_what_is_new_and_drops_what_is_gone(room: Room) -> None:
    await room.apply(a_document(1, "one", "two"))
    event = await room.indexed(a_document(2, "two", "three"))
    assert room.texts() == ["two", "three"]
    assert (event.chunk_count, event.encoded_count) == (2, 1)
    stored = room.index.chunks.by_index[INDEX].values()
    assert {each.chunk.revision for each in stored} == {2}


async def test_new_groups_reach_every_chunk_without_encoding(room: Room) -> None:
    await room.apply(a_document(1, "one"))
    event = await room.indexed(a_document(2, "one", acl=("staff",)))
    (stored,) = room.index.chunks.by_index[INDEX].values()
    assert stored.chunk.acl == ("staff",)
    assert event.encoded_count == 0


async def test_a_replay_changes_nothing_and_tells_the_same(room: Room) -> None:
    documents = [a_document(1, "one"), a_document(2, "two")]
    first = await room.indexer.index(documents)
    before = (room.texts(), room.record(), len(room.encoder.encoded_texts))
    again = await room.indexer.index(documents)
    assert (room.texts(), room.record(), len(room.encoder.encoded_texts)) == before
    assert again == [[], first[1]]


async def test_an_older_revision_that_comes_late_changes_nothing(room: Room) -> None:
    await room.apply(a_document(5, "new"))
    assert await room.apply(a_document(4, "old")) == [0]
    assert room.texts() == ["new"]
    assert room.record().revision == 5


async def test_several_revisions_in_one_batch_are_applied_in_order(room: Room) -> None:
    counts = await room.apply(
        a_document(1, "one"),
        a_document(1, "x", document_id="other"),
        a_document(2, "two", submission_id=uuid4()),
    )
    assert counts == [1, 1, 1]
    assert sorted(room.texts()) == ["two", "x"]
    assert [each.revision for each in room.record().timeline] == [1, 2]


async def test_a_deleted_document_is_gone_and_stays_gone(room: Room) -> None:
    await room.apply(a_document(1, "one"))
    event = await room.indexed(a_document(2, deleted=True))
    assert room.texts() == []
    assert event.deleted
    assert await room.apply(a_document(1, "one")) == [0]
    assert room.texts() == []
    assert room.record().state is DocumentState.DELETED


async def test_the_sketch_is_of_the_newest_words_and_goes_with_them(room: Room) -> None:
    await room.apply(a_document(1, "one", "two"), a_document(1, "one two", document_id="e"))
    first = room.record()
    assert (first.sketch, first.bands) == (room.record("e").sketch, room.record("e").bands)
    assert first.bands
    await room.apply(a_document(2, "three"))
    assert room.record().sketch not in ("", first.sketch)
    await room.apply(a_document(3, deleted=True))
    assert (room.record().sketch, room.record().bands) == ("", ())


async def test_a_passage_says_when_its_document_was_submitted(room: Room) -> None:
    await room.apply(a_document(1, "one", submitted_at=MORNING))
    (stored,) = room.index.chunks.by_index[INDEX].values()
    assert stored.chunk.submitted_at == MORNING


async def test_a_record_of_before_there_were_sketches_gets_one_by_a_rebuild(room: Room) -> None:
    await room.apply(a_document(1, "one"))
    key, record = DocumentKey("default", "d"), room.record()
    room.index.records[key] = record.model_copy(update={"sketch": "", "bands": ()})
    await room.release(with_shadow())
    await room.apply(a_document(1, "one", rebuild=FOR_SHADOW))
    assert room.record() == record


async def test_what_is_held_leaves_the_index_and_released_it_is_there_as_the_same_revision(
    room: Room,
) -> None:
    held = a_document(2, screening=a_screening())
    released = a_document(2, "two", screening=a_screening(held=False))
    assert await room.apply(a_document(1, "one"), held) == [1, 0]
    assert room.texts() == []
    assert room.record().state is DocumentState.QUARANTINED
    assert await room.apply(released) == [1]
    assert (room.texts(), room.record().state) == (["two"], DocumentState.INDEXED)
    again = await room.apply(held, released)
    assert (again, room.texts()) == ([0, 1], ["two"])
    assert await room.apply(a_document(3, "three"), released) == [1, 0]
    assert room.texts() == ["three"]


async def test_a_document_of_no_chunks_is_indexed_as_such(room: Room) -> None:
    event = await room.indexed(a_document(1))
    assert event.chunk_count == 0


async def test_a_crash_before_the_head_record_only_costs_the_writing(room: Room) -> None:
    put_heads, room.index.put_heads = room.index.put_heads, _crash  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await room.apply(a_document(1, "one"))
    room.index.put_heads = put_heads  # type: ignore[method-assign]
    # The topic was compacted meanwhile: revision 1 never comes again.
    event = await room.indexed(a_document(2, "two"))
    assert room.texts() == ["two"]
    assert event.encoded_count == 1


async def _crash(heads: Sequence[Head]) -> set[DocumentKey]:
    raise RuntimeError("killed")


async def test_an_index_that_is_down_is_a_reason_to_wait(room: Room) -> None:
    room.index.down = True
    with pytest.raises(Retryable):
        await room.apply(a_document(1, "one"))
    room.index.down = False
    assert await room.apply(a_document(1, "one")) == [1]


async def test_documents_wait_for_an_encoder_that_cannot_be_loaded(room: Room) -> None:
    room.models.broken["e-2"] = FailedPrecondition("no weights")
    room.releases.apply(encoder_release("e-2", "chunks-2", generation=2))
    with pytest.raises(Retryable, match="e-2"):
        await room.apply(a_document(1, "one"))


async def test_documents_wait_for_an_index_that_fits_their_encoder(room: Room) -> None:
    async def misfit(index: str, dimensions: int) -> None:
        raise FailedPrecondition(f"the index {index} exists with another mapping")

    room.index.prepare = misfit  # type: ignore[method-assign]
    with pytest.raises(Retryable, match="another mapping"):
        await room.apply(a_document(1, "one"))


async def test_a_new_document_encoder_fills_its_own_index(room: Room) -> None:
    await room.apply(a_document(1, "one"))
    await room.release(encoder_release("e-2", "chunks-2", generation=2))
    event = await room.indexed(a_document(1, "one"))
    assert (event.index, event.encoder_version) == ("chunks-2", "e-2")
    assert room.texts("chunks-2") == room.texts(INDEX) == ["one"]


async def test_a_head_record_that_others_wrote_meanwhile_is_read_again(room: Room) -> None:
    put_heads = room.index.put_heads
    others = [Head(room_record(3))]

    async def too_late(heads: Sequence[Head]) -> set[DocumentKey]:
        if others:
            await put_heads([others.pop()])
        return await put_heads(heads)

    room.index.put_heads = too_late  # type: ignore[method-assign]
    assert await room.apply(a_document(2, "two")) == [0]
    assert room.record().revision == 3


def room_record(revision: int) -> DocumentRecord:
    return DocumentRecord(
        tenant="default", document_id="d", state=DocumentState.INDEXED, revision=revision
    )


async def test_a_rejection_is_noted_once(room: Room) -> None:
    for _ in range(2):
        await room.indexer.note_rejection(a_document_rejected(document_id="d"))
    assert room.record().state is DocumentState.REJECTED
    assert [each.code for each in room.record().timeline] == ["empty"]


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn encodes two chunks."""
    monkeypatch.setattr(chunk_writer, "_PIECE", 2)
    monkeypatch.setattr(chunk_writer, "_LONGEST_TURN", 0.0)


async def turns_of(room: Room, *documents: DocumentChunked) -> int:
    """Gives unfinished documents again until there is none; returns how often it was."""
    left, turns = list(documents), 0
    while left:
        outcomes = zip(left, await room.indexer.index(left), strict=True)
        left, turns = [document for document, events in outcomes if events is None], turns + 1
    return turns


@pytest.mark.usefixtures("short_turns")
async def test_a_document_that_takes_long_goes_on_where_it_was_after_a_kill(room: Room) -> None:
    document = a_document(1, *"abcdefg")
    for _ in range(2):
        assert await room.indexer.index([document]) == [None]
        room.restart()
    assert room.texts() == [], "half of it is searchable"
    assert room.index.records == {}
    assert await turns_of(room, document) == 2
    assert len(room.encoder.encoded_texts) == len(room.texts()) == 7
    assert room.record().encoded_count == 7
    assert room.index.ahead[INDEX] == {}


@pytest.mark.usefixtures("short_turns")
async def test_small_documents_do_not_wait_for_the_large_one_beside_them(room: Room) -> None:
    large = a_document(1, *"abcdefg", document_id="large")
    outcome = await room.indexer.index([large, a_document(1, "x"), a_document(2, deleted=True)])
    assert [events is None for events in outcome] == [True, False, False]
    assert room.record().state is DocumentState.DELETED


@pytest.mark.usefixtures("short_turns")
@pytest.mark.parametrize("later", [("g", "new"), ()])
async def test_what_was_encoded_of_an_overtaken_revision_is_used_or_goes(
    room: Room, later: tuple[str, ...]
) -> None:
    old = a_document(1, *"gfedcba")
    assert await room.indexer.index([old]) == [None]
    assert await turns_of(room, a_document(2, *later, deleted=not later)) == 1
    assert await room.indexer.index([old]) == [[]]
    assert room.texts() == [*later]
    assert room.index.ahead[INDEX] == {}
    assert len(room.encoder.encoded_texts) == (3 if later else 2)


@pytest.mark.usefixtures("short_turns")
async def test_a_shadows_index_gets_a_long_document_by_turns_as_well(room: Room) -> None:
    await turns_of(room, a_document(1, "one"))
    await room.release(with_shadow())
    cut_anew = a_document(1, *"abcde", rebuild=FOR_SHADOW)
    assert [await room.fill(cut_anew) for _ in range(3)] == [[False], [False], [True]]
    assert room.texts(SHADOW) == [*"abcde"]
    assert room.texts() == ["one"]
    assert len(room.encoder.encoded_texts) == 5


async def test_no_more_is_held_in_memory_than_a_batch_needs(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_writer, "_MOST_CHUNKS", 3)
    documents = [a_document(1, *"abc", document_id=f"d{number}") for number in range(3)]
    outcome = await room.indexer.index(documents)
    assert [events is None for events in outcome] == [False, False, True]
    assert await turns_of(room, *documents) == 1


SHADOW = "chunks-2"
FOR_SHADOW = ForShadow(version="e-1-index-2", generation=2)


def with_shadow(
    generation: int = 2, live: str = "e-1", shadow: str = "e-1-index-2"
) -> ReleaseChanged:
    """The shadow has the same vectors in an index of its own."""
    first = an_artifact("e-1", index=INDEX)
    second = first.model_copy(update={"version": "e-1-index-2", "index": SHADOW, "fits": "e-1"})
    return a_release(
        Roles.DOCUMENT_ENCODER,
        live=live,
        shadow=shadow,
        artifacts=(first, second),
        generation=generation,
    )


async def test_what_changes_goes_into_the_shadows_index_too_without_encoding_again(
    room: Room,
) -> None:
    await room.release(with_shadow())
    assert await room.apply(a_document(1, "one", "two")) == [1]
    assert room.texts() == room.texts(SHADOW) == ["one", "two"]
    assert len(room.encoder.encoded_texts) == 2
    assert await room.apply(a_document(2, deleted=True)) == [1]
    assert room.texts() == room.texts(SHADOW) == []
    assert room.record().index == INDEX


async def test_what_is_read_again_fills_the_shadows_index_alone(room: Room) -> None:
    await room.apply(a_document(1, "one", "two"))
    await room.release(with_shadow())
    assert await room.apply(a_document(1, "one", "three", rebuild=FOR_SHADOW)) == [0]
    assert room.texts() == ["one", "two"]
    assert room.texts(SHADOW) == ["one", "three"]
    assert [text for text, _ in room.encoder.encoded_texts] == ["T > Tea\nthree"]
    assert room.record().chunk_count == 2


async def test_what_is_read_again_brings_nothing_back_that_changed_meanwhile(room: Room) -> None:
    await room.release(with_shadow())
    await room.apply(a_document(3, "new"), a_document(3, deleted=True, document_id="gone"))
    for name in ("d", "gone"):
        await room.apply(a_document(1, "old", document_id=name, rebuild=FOR_SHADOW))
    assert room.texts(SHADOW) == ["new"]


async def test_the_index_that_was_live_is_kept_in_step_as_the_shadow(room: Room) -> None:
    await room.release(with_shadow())
    await room.apply(a_document(1, "one"))
    await room.release(with_shadow(3, live="e-1-index-2", shadow="e-1"))
    await room.apply(a_document(2, "two"))
    assert room.texts() == room.texts(SHADOW) == ["two"]
    assert room.record().index == SHADOW


async def test_without_a_shadow_what_is_read_again_changes_nothing(room: Room) -> None:
    await room.apply(a_document(1, "one"))
    before = ForShadow(version="e-1-index-2", generation=1)
    assert await room.apply(a_document(1, "two", rebuild=before)) == [0]
    assert room.texts() == ["one"]


async def test_what_was_read_again_for_another_shadow_is_left_out(room: Room) -> None:
    await room.release(with_shadow())
    other = ForShadow(version="e-1-index-1", generation=1)
    assert await room.apply(a_document(1, "one", rebuild=other)) == [0]
    assert room.texts(SHADOW) == []


async def test_what_was_read_again_waits_for_its_release(room: Room) -> None:
    with pytest.raises(Retryable, match="release 2"):
        await room.apply(a_document(1, "one", rebuild=FOR_SHADOW))
    await room.release(with_shadow())
    await room.apply(a_document(1, "one", rebuild=FOR_SHADOW))
    assert room.texts(SHADOW) == ["one"]


async def test_what_is_told_otherwise_since_is_told_so_in_the_head_record(room: Room) -> None:
    await room.apply(a_document(1, "one", metadata={"by": "Ann"}))
    await room.release(with_shadow())
    otherwise: dict[str, Any] = {"metadata": {"by": "[PERSON]"}, "language": "de"}
    await room.apply(a_document(1, "one", **otherwise, rebuild=FOR_SHADOW))
    record = room.record()
    assert record.model_dump(include=set(otherwise)) == otherwise
    assert (record.chunk_count, record.index) == (1, INDEX)


class BreakingEncoder(HashEncoder):
    """With `broken` set it raises as a model's runtime does."""

    broken = False

    async def encode(self, texts: Sequence[str], side: Side) -> list[EncodedText]:
        if self.broken:
            raise RuntimeError("the graph does not run any more")
        return await super().encode(texts, side)


def with_another_encoder(
    generation: int = 2, live: str = "e-1", shadow: str | None = "e-2"
) -> ReleaseChanged:
    first, second = an_artifact("e-1", index=INDEX), an_artifact("e-2", index=SHADOW)
    return a_release(
        Roles.DOCUMENT_ENCODER,
        live=live,
        shadow=shadow,
        artifacts=(first, second),
        generation=generation,
    )


@pytest.fixture
async def breaking(room: Room, monkeypatch: pytest.MonkeyPatch) -> BreakingEncoder:
    """The encoder of a shadow with vectors of its own, which broke after its trial."""
    monkeypatch.setattr(shadow, "_SOON", (0.0,))
    encoder = room.models.encoders["e-2"] = BreakingEncoder()
    await room.release(with_another_encoder())
    encoder.broken = True
    return encoder


async def test_a_shadow_whose_encoder_breaks_holds_up_itself_alone(
    room: Room, breaking: BreakingEncoder
) -> None:
    documents = [a_document(1, "one"), a_document(2, document_id="gone", deleted=True)]
    assert [await room.indexed(each) for each in documents]
    assert room.texts() == ["one"]
    with pytest.raises(Retryable, match="the graph does not run any more"):
        await room.fill(*documents)
    (problem,) = room.filler.problems()
    assert problem == (
        "chunks-2, the index of the document encoder's shadow, falls behind: "
        "RuntimeError: the graph does not run any more"
    )
    breaking.broken = False
    await room.fill(*documents)
    assert room.texts(SHADOW) == ["one"]
    assert room.filler.problems() == []


async def test_a_shadow_that_cannot_be_loaded_holds_up_itself_alone(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "_SOON", (0.0,))
    room.models.broken["e-2"] = FailedPrecondition("its file is damaged")
    await room.release(with_another_encoder())
    assert await room.indexed(a_document(1, "one"))
    with pytest.raises(Retryable, match="its file is damaged"):
        await room.fill(a_document(1, "one"))
    assert "its file is damaged" in room.filler.problems()[0]
    await room.release(with_another_encoder(3, shadow=None))
    assert room.filler.problems() == []
    await room.fill(a_document(1, "one"))


async def test_a_shadow_comes_behind_the_live_index_never_before(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "_SOON", (0.0,))
    await room.release(with_shadow())
    other = a_document(1, "other", document_id="e")
    await room.indexer.index([other])
    assert await room.fill(a_document(1, "one"), other) == [False, True]
    assert room.texts(SHADOW) == ["other"]
    room.live.offset = 1  # as of a document that the live index has refused
    assert await room.fill(a_document(1, "one")) == [True]
    assert sorted(room.texts(SHADOW)) == ["one", "other"]


async def test_what_a_shadow_still_lacked_when_it_became_live_comes_into_its_index(
    room: Room, breaking: BreakingEncoder
) -> None:
    before = [a_document(1, "one"), a_document(1, "two", document_id="e")]
    await room.indexer.index(before)
    breaking.broken = False
    await room.release(with_another_encoder(3, live="e-2", shadow="e-1"))
    after = a_document(2, "three")
    await room.indexer.index([after])
    await room.fill(*before, after)
    assert sorted(room.texts()) == sorted(room.texts(SHADOW)) == ["three", "two"]


async def test_what_is_deleted_while_an_older_revision_comes_late_stays_gone(
    room: Room, breaking: BreakingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shadow became live while it was behind: both groups write its index for a moment."""
    before, deletion = a_document(1, "one"), a_document(2, deleted=True)
    await room.indexer.index([before])
    breaking.broken = False
    await room.release(with_another_encoder(3, live="e-2", shadow="e-1"))
    encode = breaking.encode

    async def deleted_meanwhile(texts: Sequence[str], side: Side) -> list[EncodedText]:
        await room.indexer.index([deletion])
        return await encode(texts, side)

    monkeypatch.setattr(breaking, "encode", deleted_meanwhile)
    await room.fill(before)
    await room.fill(deletion)
    assert room.texts() == room.texts(SHADOW) == []


HELD = a_document(2, screening=a_screening(), chunked_at=MORNING)
RELEASED = a_document(
    2,
    *"abc",
    screening=a_screening(held=False, verdict=QuarantineVerdict.RELEASED),
    chunked_at=MORNING + timedelta(hours=1),
)
CONFIRMED = a_document(
    2,
    screening=a_screening(verdict=QuarantineVerdict.CONFIRMED),
    chunked_at=MORNING + timedelta(hours=2),
)


async def test_what_was_released_before_the_shadow_saw_it_held_stays_in_both(room: Room) -> None:
    await room.release(with_shadow())
    await room.indexer.index([HELD])
    await room.indexer.index([RELEASED])
    await room.fill(HELD)
    await room.fill(RELEASED)
    assert sorted(room.texts()) == sorted(room.texts(SHADOW)) == [*"abc"]


async def test_what_is_released_while_the_shadow_takes_out_older_passages_stays(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.release(with_shadow())
    await room.indexer.index([HELD])
    stored_chunks = room.index.stored_chunks

    async def released_meanwhile(index: str, keys: Sequence[DocumentKey]) -> Any:
        if index == INDEX:
            monkeypatch.undo()
            await room.indexer.index([RELEASED])
        return await stored_chunks(index, keys)

    monkeypatch.setattr(room.index, "stored_chunks", released_meanwhile)
    await room.fill(HELD)
    assert sorted(room.texts()) == [*"abc"]


@pytest.mark.usefixtures("short_turns")
async def test_a_release_that_takes_turns_ends_where_it_was_taken_back(room: Room) -> None:
    await room.apply(HELD)
    assert await room.indexer.index([RELEASED]) == [None]
    await room.apply(CONFIRMED)
    assert await room.indexer.index([RELEASED]) == [[]]
    assert room.texts() == []
    assert room.record().state is DocumentState.QUARANTINED


async def test_what_is_taken_back_leaves_the_shadow_behind_the_live_index(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "_SOON", (0.0,))
    await room.release(with_shadow())
    await room.apply(HELD, RELEASED)
    assert await room.fill(CONFIRMED) == [False], "the live index has it still"
    await room.indexer.index([CONFIRMED])
    assert await room.fill(CONFIRMED) == [True]
    assert room.texts() == room.texts(SHADOW) == []


async def test_what_is_held_does_not_come_in_by_a_rebuild_that_did_not_know(room: Room) -> None:
    await room.apply(HELD)
    await room.release(with_shadow())
    await room.apply(a_document(2, "two", rebuild=FOR_SHADOW))
    assert room.texts(SHADOW) == []
    assert room.record().state is DocumentState.QUARANTINED
    assert room.record().bands == ()


async def test_a_release_is_told_of_once_and_is_no_freshness(room: Room) -> None:
    marked = a_document(2, "two", screening=a_screening(held=False), chunked_at=MORNING)
    seen = a_document(2, "two", screening=None, chunked_at=MORNING + timedelta(hours=1))
    count = freshness_count()
    assert await room.apply(marked) == [1]
    assert await room.apply(seen) == [0]
    assert await room.apply(a_document(3, screening=a_screening())) == [0]
    assert await room.apply(a_document(3, "three", screening=a_screening(held=False))) == [1]
    assert freshness_count() == count + 1


def freshness_count() -> float:
    return METRICS.registry.get_sample_value("gyre_document_freshness_seconds_count") or 0.0
