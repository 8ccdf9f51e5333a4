from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4, uuid5

import pytest
from gyre_common.document_index import DocumentRecord, DocumentState
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.events.documents import DocumentChunked, ForShadow
from gyre_common.events.releases import ReleaseChanged, Roles
from gyre_common.releases import ReleaseView
from gyre_common.store import Store
from gyre_embedder import chunk_writer, shadow
from gyre_embedder.chunk_index import DocumentKey, Head
from gyre_embedder.chunk_writer import ChunkWriter
from gyre_embedder.encoders import EncodedText, Encoders, Side
from gyre_embedder.service import Indexer
from gyre_embedder.shadow import Change, ShadowFiller

from tests.builders import (
    a_chunk,
    a_document_chunked,
    a_document_rejected,
    a_release,
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
        writer = ChunkWriter(self.index, self.encoders, Store("memory://"))
        self.indexer = Indexer(self.index, writer, self.releases)
        self.live = HandledUntil()
        self.filler = ShadowFiller(self.index, writer, self.releases, self.live)

    async def release(self, change: ReleaseChanged) -> None:
        self.releases.apply(change)
        await self.encoders.hold()
        self.encoder.encoded_texts.clear()

    async def apply(self, *documents: DocumentChunked) -> list[int]:
        """How many events each document led to; the shadow's index comes after the live one."""
        counts = [len(events) for events in await self.indexer.index(documents)]
        await self.fill(*documents)
        return counts

    async def fill(self, *documents: DocumentChunked) -> None:
        """The shadow's index alone."""
        await self.filler.fill([Change(each, 0, number) for number, each in enumerate(documents)])

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
    (events,) = await room.indexer.index([a_document(1, "one", "two")])
    assert room.texts() == ["one", "two"]
    assert room.encoder.encoded_texts == [
        ("T > Tea\none", Side.DOCUMENT),
        ("T > Tea\ntwo", Side.DOCUMENT),
    ]
    assert [(event.chunk_count, event.encoded_count, event.index) for event in events] == [
        (2, 2, INDEX)
    ]
    assert (room.record().state, room.record().revision) == (DocumentState.INDEXED, 1)


async def test_a_change_encodes_only_what_is_new_and_drops_what_is_gone(room: Room) -> None:
    await room.apply(a_document(1, "one", "two"))
    ((event,),) = await room.indexer.index([a_document(2, "two", "three")])
    assert room.texts() == ["two", "three"]
    assert (event.chunk_count, event.encoded_count) == (2, 1)
    stored = room.index.chunks.by_index[INDEX].values()
    assert {each.chunk.revision for each in stored} == {2}


async def test_new_groups_reach_every_chunk_without_encoding(room: Room) -> None:
    await room.apply(a_document(1, "one"))
    ((event,),) = await room.indexer.index([a_document(2, "one", acl=("staff",))])
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
    ((event,),) = await room.indexer.index([a_document(2, deleted=True)])
    assert room.texts() == []
    assert event.deleted
    assert await room.apply(a_document(1, "one")) == [0]
    assert room.texts() == []
    assert room.record().state is DocumentState.DELETED


async def test_a_document_of_no_chunks_is_indexed_as_such(room: Room) -> None:
    ((event,),) = await room.indexer.index([a_document(1)])
    assert event.chunk_count == 0


async def test_a_crash_before_the_head_record_only_costs_the_writing(room: Room) -> None:
    put_heads, room.index.put_heads = room.index.put_heads, _crash  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await room.apply(a_document(1, "one"))
    room.index.put_heads = put_heads  # type: ignore[method-assign]
    # The topic was compacted meanwhile: revision 1 never comes again.
    ((event,),) = await room.indexer.index([a_document(2, "two")])
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
    ((event,),) = await room.indexer.index([a_document(1, "one")])
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


async def test_what_was_encoded_before_an_attempt_ended_is_not_encoded_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that takes longer than one call of a handler may take gets there in several."""
    monkeypatch.setattr(chunk_writer, "_PIECE", 2)
    encode, calls = room.encoder.encode, 0

    async def ended_at_the_third_piece(texts: Sequence[str], side: Side) -> list[EncodedText]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Retryable("the handler took too long")
        return await encode(texts, side)

    monkeypatch.setattr(room.encoder, "encode", ended_at_the_third_piece)
    document = a_document(1, *"abcdefg")
    with pytest.raises(Retryable):
        await room.apply(document)
    assert await room.apply(a_document(1, "h", document_id="e")) == [1]  # another one comes between
    assert await room.apply(document) == [1]
    assert len(room.encoder.encoded_texts) == len(room.texts()) == 8


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
    await room.apply(a_document(1, "one", metadata={"by": "[PERSON]"}, rebuild=FOR_SHADOW))
    record = room.record()
    assert (record.metadata, record.chunk_count, record.index) == ({"by": "[PERSON]"}, 1, INDEX)


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
    events = await room.indexer.index(documents)
    assert [len(each) for each in events] == [1, 1]
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
    assert len((await room.indexer.index([a_document(1, "one")]))[0]) == 1
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
    with pytest.raises(Retryable, match="d is not in the live index yet"):
        await room.fill(a_document(1, "one"))
    assert room.texts(SHADOW) == []
    room.live.offset = 1  # as of a document that the live index has refused
    await room.fill(a_document(1, "one"))
    assert room.texts(SHADOW) == ["one"]


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
