"""A submission becomes chunks, or a rejection that its producer can act on."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    Chunk,
    DocumentRejected,
    RejectionCode,
    RejectionStage,
)
from gyre_common.personal_data import Redaction
from gyre_common.redaction import events as redaction_events
from gyre_common.redaction.choices import Choices
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.formats.format import Format
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument

from tests.builders import a_document_accepted, a_document_submitted

from .conftest import MAX_BYTES, World

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"
WORDPRESS_POST = "".join(
    f"<!-- wp:paragraph -->\n<p>Step {n}.</p>\n<!-- /wp:paragraph -->\n\n" for n in range(40)
)
ZIP = b"PK\x03\x04\x14\x00\x00\x00\x08\x00"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def rejection(world: World, **changes: Any) -> DocumentRejected:
    fields = {"text": None, "media_type": None, **changes}
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(**fields))
    assert world.bus.parked == []
    assert world.events(DOCUMENT_CHUNKED) == []
    (rejected,) = world.events(DOCUMENT_REJECTED)
    return rejected


async def test_a_submission_is_accepted_and_chunked_with_its_offset_as_revision(
    world: World,
) -> None:
    submission_id = UUID("0195566a-0000-7000-8000-00000000aaaa")
    for text in ("# Tea\n\nHot.", "# Tea\n\nHotter."):
        await world.bus.deliver(
            DOCUMENT_SUBMITTED,
            a_document_submitted(text=text, acl=("kitchen",), metadata={"lang": "en"}),
            event_id=submission_id,
        )
    first, second = world.events(DOCUMENT_CHUNKED)
    assert (first.revision, second.revision) == (0, 1)
    assert [c.text for c in second.chunks] == ["Hotter."]
    assert (second.title, second.acl, second.metadata) == ("Tea", ("kitchen",), {"lang": "en"})
    assert second.submission_id == submission_id
    assert second.ingestion_version == "structure-1"
    accepted = world.events(DOCUMENT_ACCEPTED)[1]
    assert second.accepted_at == accepted.accepted_at
    assert second.chunked_at
    assert second.chunked_at >= accepted.accepted_at
    assert accepted.content_ref
    assert accepted.content_digest
    assert (
        await world.store.get(accepted.content_ref, accepted.content_digest) == b"# Tea\n\nHotter."
    )


async def test_personal_data_is_in_the_stored_original_alone(world: World, masking: None) -> None:
    text = "# Ann <ann@example.com>\n\nCall +41 71 526 99 04.\n\n| who |\n|---|\n| bo@example.com |"
    submitted = a_document_submitted(
        text=text,
        title="Mail of ann@example.com",
        source_uri="https://example.com/?of=ann@example.com",
        metadata={"author": "ann@example.com"},
    )
    await world.bus.deliver(DOCUMENT_SUBMITTED, submitted)

    [accepted] = world.events(DOCUMENT_ACCEPTED)
    [chunked] = world.events(DOCUMENT_CHUNKED)
    for event in (accepted, chunked):
        assert event.title == "Mail of [EMAIL_ADDRESS]"
        assert event.source_uri == "https://example.com/?of=[EMAIL_ADDRESS]"
        assert event.metadata == {"author": "[EMAIL_ADDRESS]"}
    [chunk] = chunked.chunks
    assert chunk.heading_path == ("Ann [EMAIL_ADDRESS]",)
    assert chunk.text.splitlines()[0] == "Call [PHONE_NUMBER]."
    assert "[EMAIL_ADDRESS]" in chunk.text
    assert "@example.com" not in repr([event for _, event in world.bus.published])
    assert accepted.content_ref
    assert accepted.content_digest
    original = await world.places.get(accepted.content_ref, accepted.content_digest)
    assert original.decode() == text


async def test_an_original_whose_days_are_over_is_cut_again_from_what_was_left_of_it(
    world: World, masking: None
) -> None:
    text = "# Mail of ann@example.com\n\nAsk ann@example.com.\n\n- Or bo@example.com\n"
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(text=text))
    [accepted], [before] = world.events(DOCUMENT_ACCEPTED), world.events(DOCUMENT_CHUNKED)
    assert await world.places.raw.expire(days=0) == 1
    await world.bus.deliver(DOCUMENT_ACCEPTED, accepted)
    again = world.events(DOCUMENT_CHUNKED)[-1]
    assert (again.title, again.chunks) == (before.title, before.chunks)
    assert world.events(DOCUMENT_REJECTED) == []


async def test_an_original_that_is_gone_before_it_was_read_asks_to_be_submitted_again(
    world: World, masking: None
) -> None:
    original = await world.places.raw.put(b"Ask ann@example.com.")
    assert await world.places.raw.expire(days=0) == 1
    accepted = a_document_accepted(content_ref=original.uri, content_digest=original.digest)
    await world.bus.deliver(DOCUMENT_ACCEPTED, accepted)
    [rejected] = world.events(DOCUMENT_REJECTED)
    assert (rejected.code, rejected.stage) == (
        RejectionCode.CONTENT_NOT_FOUND,
        RejectionStage.PARSE,
    )
    assert "submit the document again" in rejected.detail


async def test_what_was_accepted_before_the_choice_is_redacted_when_it_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = a_document_submitted(text="Ask ann@example.com.", title="ann@example.com")
    await world.bus.deliver(DOCUMENT_SUBMITTED, submitted)
    [accepted] = world.events(DOCUMENT_ACCEPTED)
    assert accepted.title == "ann@example.com"
    monkeypatch.setattr(redaction_events, "choices", lambda: Choices(Redaction.DROP))
    await world.bus.deliver(DOCUMENT_ACCEPTED, accepted)
    again = world.events(DOCUMENT_CHUNKED)[-1]
    assert (again.title, [chunk.text for chunk in again.chunks]) == ("[…]", ["Ask […]."])


async def test_a_replay_makes_the_same_facts_with_the_same_ids(world: World) -> None:
    submission = a_document_submitted()
    event_id = UUID("0195566a-0000-7000-8000-00000000bbbb")
    for _ in range(2):
        await world.bus.deliver(DOCUMENT_SUBMITTED, submission, event_id=event_id)
    accepted = [r for r in world.bus.sent if r.topic == DOCUMENT_ACCEPTED.name]
    assert dict(accepted[0].headers)["ce_id"] == dict(accepted[1].headers)["ce_id"]
    first, second = world.events(DOCUMENT_CHUNKED)
    assert first.chunks == second.chunks


async def test_a_deletion_is_told_before_the_key_is_retired(world: World) -> None:
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted())
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(deleted=True))
    assert [event.deleted for event in world.events(DOCUMENT_ACCEPTED)] == [False, True]
    assert [event.deleted for event in world.events(DOCUMENT_CHUNKED)] == [False, True]
    for topic in (DOCUMENT_ACCEPTED.name, DOCUMENT_CHUNKED.name):
        values = [record.value for record in world.bus.sent if record.topic == topic]
        assert [value is None for value in values] == [False, False, True]
        assert world.tombstones(topic) == [b"default/tea.md"]
    deletion = world.events(DOCUMENT_CHUNKED)[1]
    assert deletion.accepted_at
    assert deletion.chunked_at is None
    assert (deletion.revision, deletion.chunks, deletion.title, deletion.metadata) == (
        1,
        (),
        "",
        {},
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, RejectionCode.NO_CONTENT),
        ({"text": "a", "content_base64": "YQ=="}, RejectionCode.SEVERAL_CONTENTS),
        ({"text": ""}, RejectionCode.EMPTY),
        ({"text": " \n\t "}, RejectionCode.EMPTY),
        ({"content_base64": b64(b"\xef\xbb\xbf \n")}, RejectionCode.EMPTY),
        ({"content_base64": "not base64!"}, RejectionCode.BAD_BASE64),
        ({"content_base64": "YQ"}, RejectionCode.BAD_BASE64),
        ({"text": "x" * (MAX_BYTES + 1)}, RejectionCode.TOO_LARGE),
        ({"content_base64": b64(b"x" * (MAX_BYTES + 1))}, RejectionCode.TOO_LARGE),
        ({"text": "a", "metadata": {"k": "v" * 20_000}}, RejectionCode.TOO_LARGE),
        ({"text": "a", "media_type": "video/mp4"}, RejectionCode.UNSUPPORTED_MEDIA_TYPE),
        ({"text": "a", "media_type": "\x00;;"}, RejectionCode.UNSUPPORTED_MEDIA_TYPE),
        ({"content_base64": b64(PNG)}, RejectionCode.UNSUPPORTED_MEDIA_TYPE),
        (
            {"content_base64": b64(PNG), "media_type": "application/octet-stream"},
            RejectionCode.UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            {"content_base64": b64(PNG), "media_type": "text/html"},
            RejectionCode.MEDIA_TYPE_MISMATCH,
        ),
        (
            {"content_base64": b64(ZIP), "media_type": "text/plain"},
            RejectionCode.CORRUPT,
        ),
        ({"content_uri": "file:///etc/passwd"}, RejectionCode.URI_NOT_ALLOWED),
        ({"content_uri": "http://127.0.0.1:9200/"}, RejectionCode.URI_NOT_ALLOWED),
        ({"content_uri": "not a uri"}, RejectionCode.URI_NOT_ALLOWED),
    ],
)
async def test_what_cannot_be_taken_is_rejected_with_its_reason(
    world: World, fields: dict[str, Any], code: RejectionCode
) -> None:
    rejected = await rejection(world, **fields)
    assert (rejected.code, rejected.stage) == (code, RejectionStage.ACCEPT)
    assert (rejected.revision, rejected.accepted_at) == (None, None)
    assert ": " in rejected.detail


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content_base64": b64(bytes(range(256)) * 8)}, RejectionCode.BAD_ENCODING),
        ({"content_base64": b64(PDF), "media_type": "text/plain"}, RejectionCode.CORRUPT),
        (
            {"content_base64": b64(b"caf\xe9 \xff"), "media_type": "text/plain; charset=klingon"},
            RejectionCode.BAD_ENCODING,
        ),
        ({"text": "---\ntitle: x\n---\n<!-- nothing -->"}, RejectionCode.EMPTY),
        ({"text": "<script>x()</script>", "media_type": "text/html"}, RejectionCode.EMPTY),
    ],
)
async def test_what_cannot_be_read_is_rejected_with_the_revision_it_was_to_be(
    world: World, fields: dict[str, Any], code: RejectionCode
) -> None:
    rejected = await rejection(world, **fields)
    assert (rejected.code, rejected.stage, rejected.revision) == (code, RejectionStage.PARSE, 0)
    (accepted,) = world.events(DOCUMENT_ACCEPTED)
    assert rejected.accepted_at == accepted.accepted_at


@pytest.mark.parametrize(
    "title", ["!!int ''", "!!bool x", "!!timestamp x", f"0x{'f' * 9_999}"], ids=lambda it: it[:12]
)
async def test_front_matter_that_breaks_its_parser_is_named(world: World, title: str) -> None:
    rejected = await rejection(world, text=f"---\ntitle: {title}\n---\ntext")
    assert (rejected.code, rejected.stage) == (RejectionCode.CORRUPT, RejectionStage.PARSE)
    assert "front matter that cannot be read" in rejected.detail
    assert "Error" not in rejected.detail


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        ("Grüße, wie geht es Ihnen heute?".encode(), None),
        ("Grüße, wie geht es Ihnen heute?".encode("utf-8-sig"), None),
        ("Grüße, wie geht es Ihnen heute?".encode("utf-16"), "text/plain"),
        ("Grüße, wie geht es Ihnen heute?".encode("latin-1"), "text/plain; charset=iso-8859-1"),
        (
            '<meta charset="iso-8859-1"><p>Grüße, wie geht es Ihnen heute?</p>'.encode("latin-1"),
            "text/html",
        ),
        ("Gru\u0308ße, wie \x00geht es\u200b Ihnen heute?".encode(), "text/plain"),
        ("Grüße, wie geht es Ihnen heute?".encode(), "text/plain; charset=utf-16"),
    ],
)
async def test_text_is_read_in_whatever_character_set_it_came(
    world: World, data: bytes, media_type: str | None
) -> None:
    await world.bus.deliver(
        DOCUMENT_SUBMITTED,
        a_document_submitted(
            document_id="doc", text=None, content_base64=b64(data), media_type=media_type
        ),
    )
    (event,) = world.events(DOCUMENT_CHUNKED)
    assert [c.text for c in event.chunks] == ["Grüße, wie geht es Ihnen heute?"]


@pytest.mark.parametrize(
    ("document_id", "text", "media_type"),
    [
        ("a.md", "text", "text/markdown"),
        ("https://x.org/a.HTML?v=1", "text", "text/html"),
        ("a.txt", "# text", "text/plain"),
        ("a", "<!DOCTYPE html><p>text", "text/html"),
        ("a", "Intro\n\n## Part\n\ntext", "text/markdown"),
        ("a", "BMW builds cars.", "text/plain"),
        ("http://[a/b.html", "BMW builds cars.", "text/plain"),
        ("a", "<?xml version='1.0'?>\n<!-- - -->\n<!-- -- -->\n<html><p>text", "text/html"),
        ("a", "<!-- <html> --> text", "text/plain"),
        ("a", WORDPRESS_POST, "text/plain"),
    ],
)
async def test_a_media_type_that_nobody_gave_is_found_out(
    world: World, document_id: str, text: str, media_type: str
) -> None:
    await world.bus.deliver(
        DOCUMENT_SUBMITTED,
        a_document_submitted(document_id=document_id, text=text, media_type=None),
    )
    assert [e.media_type for e in world.events(DOCUMENT_ACCEPTED)] == [media_type]


async def test_content_is_fetched_from_an_allowed_place(world: World) -> None:
    (world.allowed / "tea.md").write_text("# Tea\n\nHot.")
    uri = f"file://{world.allowed}/tea.md"
    await world.bus.deliver(
        DOCUMENT_SUBMITTED,
        a_document_submitted(text=None, media_type=None, content_uri=uri),
        a_document_submitted(document_id="b", text=None, content_uri=uri.replace("tea", "no")),
    )
    assert [c.text for c in world.events(DOCUMENT_CHUNKED)[0].chunks] == ["Hot."]
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert rejected.code is RejectionCode.CONTENT_NOT_FOUND


@pytest.mark.parametrize(
    ("minutes_off", "counts"), [(-4, True), (4, True), (-600, False), (600, False)]
)
async def test_the_producers_clock_counts_within_a_bound(
    world: World, minutes_off: int, counts: bool
) -> None:
    claimed = datetime.now(UTC) + timedelta(minutes=minutes_off)
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(submitted_at=claimed))
    (event,) = world.events(DOCUMENT_CHUNKED)
    assert (event.submitted_at == claimed) is counts
    assert abs(event.submitted_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_chunks_that_would_make_a_large_record_travel_by_reference(world: World) -> None:
    world.release(min_tokens="0")
    text = "\n\n".join(f"# h{n}\n\nab" for n in range(6_000))
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(text=text))
    (event,) = world.events(DOCUMENT_CHUNKED)
    assert event.chunks == ()
    assert event.chunks_ref
    assert event.chunks_digest
    stored = json.loads(await world.store.get(event.chunks_ref, event.chunks_digest))
    assert [Chunk.model_validate(one).ordinal for one in stored] == list(range(6_000))


async def test_documents_wait_for_a_release_that_can_be_used(world: World) -> None:
    world.release(max_tokens="nonsense")
    delivering = world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted())

    async def repair() -> None:
        world.release()

    await asyncio.gather(delivering, repair())
    assert len(world.events(DOCUMENT_CHUNKED)) == 1
    assert world.bus.parked == []


async def test_what_was_not_read_travels_with_the_passages_and_is_redacted(
    world: World, monkeypatch: pytest.MonkeyPatch, masking: None
) -> None:
    def parse(data: bytes, charset: str | None) -> ParsedDocument:
        outline = Outline()
        outline.paragraph("Hot.")
        outline.note("the picture of ann@example.com is not read")
        return outline.finish()

    monkeypatch.setitem(FORMATS, "text/plain", Format(parse, (".txt",)))
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(media_type="text/plain"))
    [accepted], [chunked] = world.events(DOCUMENT_ACCEPTED), world.events(DOCUMENT_CHUNKED)
    assert chunked.notes == ("the picture of [EMAIL_ADDRESS] is not read",)
    await world.places.raw.expire(days=0)
    await world.bus.deliver(DOCUMENT_ACCEPTED, accepted)
    assert world.events(DOCUMENT_CHUNKED)[-1].notes == chunked.notes
