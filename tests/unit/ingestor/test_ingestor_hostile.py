"""Hundreds of damaged and hostile files: each is read or refused, and none costs a neighbour."""

import asyncio
import io
import random
import zipfile
from collections.abc import Callable, Iterator

from gyre_common.events.documents import RejectionCode
from gyre_ingestor.chunking import ChunkRecipe
from gyre_ingestor.media_types import telling_part
from gyre_ingestor.reading import ProcessReader
from gyre_ingestor.refused import DocumentRefused

from tests.builders import a_document_accepted
from tests.files import EVERY_KIND, a_pdf, a_zip, an_xlsx

MIB = 1024 * 1024
EACH = 20
Damage = Callable[[bytearray, random.Random], bytes]


def cut_off(data: bytearray, chance: random.Random) -> bytes:
    return bytes(data[: chance.randrange(len(data))])


def flipped(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(max(1, len(data) // 200)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def zeroed(data: bytearray, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.randrange(1, 500))
    data[start:end] = bytes(end - start)
    return bytes(data)


def shuffled(data: bytearray, chance: random.Random) -> bytes:
    at, to = sorted(chance.randrange(len(data)) for _ in range(2))
    return bytes(data[to:] + data[at:to] + data[:at])


def repeated(data: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return bytes(data[:at] + data[at : at + 100] * 500 + data[at:])


def within(data: bytes, name: str, damage: Damage, chance: random.Random) -> bytes:
    """A package whose member is damaged, and whose sums are right."""
    members = {}
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        for each in package.namelist():
            members[each] = package.read(each)
    members[name] = damage(bytearray(members[name]), chance)
    return a_zip(members)


def damaged() -> Iterator[tuple[str, str, bytes]]:
    """Each with a name that tells the kind, and what was done to it; the same each time."""
    kinds = [cut_off, flipped, zeroed, shuffled, repeated]
    for name, made in EVERY_KIND.items():
        data = made()
        for number in range(EACH):
            damage, chance = kinds[number % len(kinds)], random.Random(f"{name}{number}")
            if zipfile.is_zipfile(io.BytesIO(data)) and number >= EACH // 2:
                member = chance.choice(parts_of(data))
                yield name, f"{damage.__name__} {member}", within(data, member, damage, chance)
            else:
                yield name, damage.__name__, damage(bytearray(data), chance)


def parts_of(package: bytes) -> list[str]:
    """The members of XML that hold something."""
    with zipfile.ZipFile(io.BytesIO(package)) as opened:
        return [
            each.filename
            for each in opened.infolist()
            if each.filename[-3:] == "xml" and each.file_size
        ]


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that want to be large, deep or endless, each with a name that tells its kind."""
    deflated = zipfile.ZIP_DEFLATED
    zeros = bytes(200 * MIB)
    deep = b"<w:p>" * 200_000
    for member in ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"):
        yield "zeros.zip", a_zip({member: zeros}, compression=deflated)
        yield "deep.zip", a_zip({member: deep}, compression=deflated)
    yield "members.docx", a_zip({"word/document.xml": b"", **{f"{n}": b"" for n in range(20_000)}})
    package = an_xlsx()
    far = within(package, "xl/worksheets/sheet1.xml", lambda *_: _FAR_SHEET, random.Random(0))
    yield "far.xlsx", far
    yield "pages.pdf", a_pdf(*[[f"Page {n}"] for n in range(300)])
    head = b"Content-Type: multipart/mixed; boundary=a\nSubject: x\n\n"
    yield "parts.eml", head + b"--a\n" * 50_000
    yield "passed-on.eml", b"Content-Type: message/rfc822\n\n" * 5_000 + b"Subject: x\n\nx"
    yield "wide.csv", b"," * 2_000_000
    yield "long-names.csv", b"x" * 100_000 + b",b\n" + b"1,2\n" * 10_000
    yield "deep.json", b"[" * 500_000
    yield "names.json", b"[%s]" % b",".join(b'{"k%d": 1}' % n for n in range(20_000))
    yield "deep.xml", b"<a>" * 200_000
    yield "deep.ipynb", b'{"cells": ' + b"[" * 200_000
    yield "group.rtf", rb"{\rtf1" + rb"{\b " * 200_000
    yield "spans.html", b"<table>" + b"<tr><td colspan=1000 rowspan=60000>x" * 2_000
    yield "tables.html", b"<table><tr><th>x" * 2_000
    yield "styles.html", b"<div style='font-size:0;color:#fff'>x" * 20_000


_FAR_SHEET = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    b"</sheetData></worksheet>"
)


async def fate(reader: ProcessReader, name: str, data: bytes) -> str:
    """What became of it: a code, or nothing where it was read."""
    try:
        media_type = await reader.media_type(telling_part(data), None, (name,))
        accepted = a_document_accepted(title="", media_type=str(media_type))
        await reader.read(accepted, data, ChunkRecipe())
    except DocumentRefused as refused:
        return refused.code if refused.problem and refused.fix else "no reason"
    return ""


async def test_every_damaged_file_is_read_or_refused_and_no_process_ends() -> None:
    files = dict.fromkeys(damaged())
    assert len(files) >= 300
    async with ProcessReader(processes=1, time_limit=10, memory_bytes=2048 * MIB) as reader:
        before = await processes(reader)
        fates = [await fate(reader, name, data) for name, _, data in files]
        assert await processes(reader) == before
    assert set(fates) > {"", RejectionCode.CORRUPT}
    assert "no reason" not in fates


async def test_a_bomb_costs_its_own_process_at_most_and_the_next_document_is_read() -> None:
    async with ProcessReader(processes=1, time_limit=5, memory_bytes=2048 * MIB) as reader:
        for name, data in bombs():
            other = asyncio.create_task(fate(reader, "tea.md", b"# Tea\n\nHot."))
            await fate(reader, name, data)
            assert await other == "", name
        assert await reader.healthy()


async def processes(reader: ProcessReader) -> set[int]:
    """Those that read, by their ids."""
    pool = await reader._working_pool()
    return set(pool._pool_manager.worker_manager.workers)
