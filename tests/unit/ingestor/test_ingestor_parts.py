"""What came within another document is a document of its own, and goes when it is there no more."""

import base64
import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from gyre_common.context import RequestContext
from gyre_common.errors import Unavailable
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    RejectionCode,
)
from gyre_ingestor import unpacking
from gyre_ingestor.formats.signatures import OLE
from gyre_ingestor.media_types import media_type_of
from gyre_ingestor.refused import DocumentRefused
from gyre_ingestor.submission_order import SubmissionPlace
from gyre_ingestor.unpacking import DEEPEST, MOST_FILES, unpack

from tests.builders import a_document_submitted
from tests.files import a_mail_with, a_pdf, a_tar, a_zip

from .conftest import World

CALLER = RequestContext(tenant="acme")
TEA = b"# Tea\n\nHot."
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def paths(folder: Path, data: bytes, name: str = "all.zip") -> list[str]:
    media_type = media_type_of(data, None, (name,))
    return [each.path for each in unpack(data, media_type.name, "acme", name, folder)]


@pytest.mark.parametrize(
    ("pack", "name"),
    [
        (a_zip, "all.zip"),
        (a_tar, "all.tar"),
        (lambda members: a_tar(members, "w:gz"), "all.tgz"),
        (lambda members: a_tar(members, "w:bz2"), "all.tar.bz2"),
        (lambda members: a_tar(members, "w:xz"), "all.tar.xz"),
        (a_mail_with, "all.eml"),
    ],
)
def test_an_archive_is_its_files_and_a_mail_what_is_attached(
    tmp_path: Path, pack: Callable[[Mapping[str, bytes]], bytes], name: str
) -> None:
    packed = pack({"tea.md": TEA, "prices.pdf": a_pdf(["Prices"])})
    assert paths(tmp_path, packed, name) == ["tea.md", "prices.pdf"]
    assert sorted(len(each.read_bytes()) for each in tmp_path.iterdir())[0] == len(TEA)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_is_called_as_it_is_without_the_last_ending(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    assert paths(tmp_path, compress(TEA), "notes/tea.md.gz") == ["tea.md"]


def test_archives_in_archives_and_what_is_attached_in_them_come_too(tmp_path: Path) -> None:
    mail = a_mail_with({"papers.zip": a_zip({"a/tea.md": TEA})})
    outer = a_zip({"mails.tar": a_tar({"one.eml": mail})})
    assert paths(tmp_path, outer) == [
        "mails.tar",
        "mails.tar/one.eml",
        "mails.tar/one.eml/papers.zip",
        "mails.tar/one.eml/papers.zip/a/tea.md",
    ]


def test_what_no_document_is_called_like_is_passed_over_as_in_a_folder(tmp_path: Path) -> None:
    names = ["logo.png", ".hidden.md", "__MACOSX/tea.md", "a/.git/tea.md", "run", "READ", "a/"]
    data = [b"\x89PNG", TEA, TEA, TEA, b"\x7fELF\0", TEA, b""]
    assert paths(tmp_path, a_zip(dict(zip(names, data, strict=True)))) == ["READ"]
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [TEA]


def test_personal_data_in_names_is_redacted_and_they_stay_unique(
    tmp_path: Path, masking: None
) -> None:
    names = [
        "of ann@example.com/cv of ann@example.com.md",
        "bo@example.com.md",
        "cy@example.com.md",
    ]
    inner = a_zip({"mail of di@example.com.txt": TEA})
    packed = a_zip({**dict.fromkeys(names, TEA), "x@example.com.zip": inner})
    assert paths(tmp_path, packed) == [
        "of [EMAIL_ADDRESS]/cv of [EMAIL_ADDRESS].md",
        "[EMAIL_ADDRESS].md",
        "[EMAIL_ADDRESS] (2).md",
        "[EMAIL_ADDRESS].zip",
        "[EMAIL_ADDRESS].zip/mail of [EMAIL_ADDRESS].txt",
    ]


def test_names_are_unique_short_and_lead_nowhere_else(tmp_path: Path) -> None:
    long = "ä" * 3_000 + ".md"
    names = [
        "../../etc/tea.md",
        "/tea.md",
        "TEA.md",
        "tea\u0301.md",
        "te\u00e1.md",
        "a\n\x1b[2J.md",
    ]
    names += ["..\\..\\tea.md", long, long.replace("ä.md", "b.md")]
    named = paths(tmp_path, a_zip(dict.fromkeys(names, TEA)), "d" * 300)
    assert named[:2] == ["etc/tea.md", "tea.md"]
    assert "TEA (2).md" in named
    assert "a__[2J.md" in named
    assert len(named) == len({each.casefold() for each in named}) == len(names)
    assert all(len(f"{'d' * 300}/{each}") <= 512 and each.endswith(".md") for each in named)
    assert not any(".." in each.split("/") or "\\" in each for each in named)


def links() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind in (("a.md", tarfile.SYMTYPE), ("b.md", tarfile.LNKTYPE), ("c.md", b"3")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return file.getvalue()


def nested(levels: int) -> bytes:
    data = a_zip({"tea.md": TEA})
    for _ in range(levels - 1):
        data = a_zip({"inner.zip": data})
    return data


def zeros(size: int) -> bytes:
    return a_zip({"zeros.txt": bytes(size)}, compression=zipfile.ZIP_DEFLATED)


def refused() -> Iterator[tuple[str, bytes, str]]:
    mib = 1024 * 1024
    yield "bomb.zip", a_zip({f"{n}.zip": zeros(100 * mib) for n in range(3)}), "unpacks to more"
    yield "bomb.gz", gzip.compress(bytes(300 * mib), 1), "unpacks to more"
    sparse = a_tar({"a.bin": bytes(130 * mib), "b.bin": bytes(130 * mib)}, "w:gz")
    yield "bomb.tgz", sparse, "unpacks to more"
    yield "deep.zip", nested(DEEPEST + 1), "deep"
    yield "many.zip", a_zip({f"{n}.md": b"" for n in range(MOST_FILES + 1)}), "files"
    yield "links.tar", links(), "holds no document"
    yield "empty.zip", a_zip({}), "holds no document"
    yield "cut.zip", nested(1)[:-40], "damaged"
    yield "cut.tgz", a_tar({"tea.md": TEA * 100}, "w:gz")[:-30], "damaged"
    yield "wrong.zip", a_zip({"tea.md": TEA}).replace(TEA, TEA[::-1]), "damaged"


@pytest.mark.parametrize(
    ("name", "data", "why"),
    list(refused()),
    ids=lambda value: "data" if isinstance(value, bytes) else None,
)
def test_what_is_too_much_too_deep_nothing_or_damaged_is_refused(
    tmp_path: Path, name: str, data: bytes, why: str
) -> None:
    with pytest.raises(DocumentRefused, match=why):
        paths(tmp_path, data, name)


def test_as_deep_as_may_be_is_read(tmp_path: Path) -> None:
    assert len(paths(tmp_path, nested(DEEPEST))) == DEEPEST


def test_a_name_without_room_for_its_parts_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DocumentRefused, match="document_id"):
        paths(tmp_path, nested(1), "d" * 500)


async def submit(world: World, name: str = "all.zip", **fields: Any) -> None:
    data = fields.pop("data", None)
    if data is not None:
        fields["content_base64"] = base64.b64encode(data).decode()
    empty = {"text": None, "media_type": None, "title": None}
    submission = a_document_submitted(tenant="acme", document_id=name, **{**empty, **fields})
    await world.bus.deliver(DOCUMENT_SUBMITTED, submission)
    assert world.bus.parked == []


def state(world: World) -> dict[str, bool]:
    """Of each document the newest that was accepted: there or deleted."""
    return {each.document_id: not each.deleted for each in world.events(DOCUMENT_ACCEPTED)}


async def test_parts_are_documents_with_the_rights_of_the_whole(world: World) -> None:
    data = a_zip({"tea.md": TEA, "broken.pdf": b"%PDF-1.7"})
    await submit(world, data=data, acl=("kitchen",), metadata={"team": "tea"})
    (tea, whole) = world.events(DOCUMENT_CHUNKED)
    if whole.document_id != "all.zip":
        tea, whole = whole, tea
    assert (tea.document_id, tea.acl, tea.metadata) == (
        "all.zip/tea.md",
        ("kitchen",),
        {"team": "tea"},
    )
    assert (tea.title, [chunk.text for chunk in tea.chunks]) == ("Tea", ["Hot."])
    assert (whole.chunks, whole.media_type) == ((), "application/zip")
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert (rejected.document_id, rejected.code) == ("all.zip/broken.pdf", RejectionCode.CORRUPT)
    parts = await world.parts.of("acme", "all.zip")
    assert parts
    assert parts.paths == ("tea.md", "broken.pdf")
    assert tea.submission_id == parts.submission_of("tea.md")


async def test_a_part_that_is_gone_from_the_whole_is_deleted_and_all_are_with_it(
    world: World,
) -> None:
    await submit(world, data=a_zip({"a.md": b"# A\n\na", "b.md": b"# B\n\nb"}))
    await submit(world, data=a_zip({"b.md": b"# B\n\nb", "c.md": b"# C\n\nc"}))
    assert state(world) == {
        "all.zip": True,
        "all.zip/a.md": False,
        "all.zip/b.md": True,
        "all.zip/c.md": True,
    }
    await submit(world, deleted=True)
    assert not any(state(world).values())
    assert await world.parts.of("acme", "all.zip") is None


async def test_the_parts_of_an_earlier_submission_are_known_to_who_follows_it(world: World) -> None:
    ids = []
    for names in ("a", "bc", "c", "c", "d"):
        await submit(world, data=a_zip({f"{name}.md": TEA for name in names}))
        last = await world.parts.of("acme", "all.zip")
        assert last
        ids.append(last.submission_id)

    async def paths_of(submission_id: UUID) -> tuple[str, ...] | None:
        parts = await world.parts.of("acme", "all.zip", str(submission_id))
        return parts.paths if parts else None

    expected = [None, ("b.md", "c.md"), ("c.md",), ("c.md",), ("d.md",)]
    assert [await paths_of(each) for each in ids] == expected
    earlier = await world.parts.of("acme", "all.zip", str(ids[1]))
    assert earlier
    submissions = {each.submission_id for each in world.events(DOCUMENT_ACCEPTED)}
    assert {earlier.submission_of(path) for path in earlier.paths} <= submissions


async def test_a_whole_that_becomes_a_text_has_no_parts_and_one_that_is_refused_keeps_them(
    world: World,
) -> None:
    await submit(world, data=a_zip({"a.md": b"# A\n\na"}))
    await submit(world, data=a_zip({"a.md": b"# A\n\na"})[:-30])
    assert state(world)["all.zip/a.md"]
    await submit(world, text="# Not an archive\n\nany more")
    assert state(world) == {"all.zip": True, "all.zip/a.md": False}


async def test_a_part_is_not_taken_apart_again(world: World) -> None:
    await submit(world, data=a_zip({"inner.zip": a_zip({"a.md": b"# A\n\na"})}))
    assert sorted(state(world)) == ["all.zip", "all.zip/inner.zip", "all.zip/inner.zip/a.md"]
    assert len(world.events(DOCUMENT_ACCEPTED)) == 3


async def test_what_breaks_off_half_way_is_done_again_and_leaves_nothing_behind(
    world: World,
) -> None:
    await submit(world, data=a_zip({"a.md": b"# A\n\na", "b.md": b"# B\n\nb"}))
    publish, calls = world.bus.publish, 0

    async def publish_or_fail(*args: Any, **keywords: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Unavailable("Kafka is away")
        await publish(*args, **keywords)

    with patch.object(world.bus, "publish", publish_or_fail):
        await submit(world, data=a_zip({"c.md": b"# C\n\nc"}))
    await submit(world, data=a_zip({"c.md": b"# C\n\nc"}))
    there = [name for name, is_there in state(world).items() if is_there]
    assert sorted(there) == ["all.zip", "all.zip/c.md"]


def test_as_many_files_may_be_in_one_as_its_list_can_name() -> None:
    """A reply over gRPC carries 4 MiB; 100 bytes of a part are its ids and the message's own."""
    assert unpacking.MOST_FILES * (unpacking._LONGEST_PATH + 100) < 4 * 1024 * 1024


def test_what_is_damaged_within_costs_itself_alone(tmp_path: Path) -> None:
    broken_mail = OLE + bytes(500) + "__properties_version1.0\0".encode("utf-16-le").rjust(640)
    inner = {
        "cut.zip": nested(1)[:-40],
        "cut.gz": gzip.compress(TEA)[:-9],
        "mail.msg": broken_mail,
    }
    assert paths(tmp_path, a_zip({"good.md": TEA, **inner})) == ["good.md", *inner]


def test_many_of_one_name_get_numbers_at_once(tmp_path: Path) -> None:
    """As attachments that are all called alike; what was tried before is not tried again."""
    unpacked = unpacking._Unpacked(tmp_path, "acme", 200)
    named = [unpacked._unique("report.md") for _ in range(3_000)]
    assert named[:3] == ["report.md", "report (2).md", "report (3).md"]
    assert len(set(named)) == 3_000
    assert unpacked.numbers["report.md"] == 2_999


async def test_a_document_may_have_the_longest_name(world: World) -> None:
    await submit(world, "d" * 512, text="# Tea\n\nHot.")
    assert state(world) == {"d" * 512: True}


async def test_what_is_rejected_overtakes_nothing(world: World) -> None:
    later, earlier = NOON + timedelta(seconds=1), NOON
    ingestor = world.ingestor
    empty = a_document_submitted(tenant="acme", document_id="tea", text=None)
    await ingestor.accept(empty, submission_id=uuid4(), place=SubmissionPlace(0, 9, later))
    good = a_document_submitted(tenant="acme", document_id="tea", text="# Tea\n\nHot.")
    await ingestor.accept(good, submission_id=uuid4(), place=SubmissionPlace(1, 3, earlier))
    assert state(world) == {"tea": True}
