"""The index of the document encoder's shadow, behind the live one."""

from collections.abc import Sequence
from typing import Any

import pytest
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.events.documents import (
    ForShadow,
)
from gyre_common.events.releases import ReleaseChanged, Roles
from gyre_embedder import shadow
from gyre_embedder.encoders import EncodedText, Side

from tests.builders import (
    a_release,
    an_artifact,
)
from tests.fakes.embedder import HashEncoder
from tests.unit.embedder.indexing import FOR_SHADOW, INDEX, SHADOW, Room, a_document, with_shadow


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
