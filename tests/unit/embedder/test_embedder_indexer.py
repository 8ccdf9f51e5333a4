from collections.abc import Sequence
from uuid import uuid4

import pytest
from gyre_common.document_index import DocumentRecord, DocumentState
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_embedder.chunk_index import DocumentKey, Head
from gyre_embedder.encoders import Side

from tests.builders import (
    MORNING,
    a_document_rejected,
    a_screening,
)
from tests.unit.embedder.indexing import (
    FOR_SHADOW,
    INDEX,
    Room,
    a_document,
    encoder_release,
    with_shadow,
)


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
