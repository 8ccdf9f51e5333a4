"""No document can hang or break the ingestor."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from gyre_common.errors import Retryable
from gyre_common.events.documents import RejectionCode
from gyre_common.redaction import redact
from gyre_ingestor.chunking import ChunkRecipe
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.reading import ProcessReader, ReadResult, run_guarded
from gyre_ingestor.redacting import redacted_document
from gyre_ingestor.refused import DocumentRefused

from tests.builders import a_document_accepted

MIB = 1024 * 1024
BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


async def read(
    reader: ProcessReader, content: str, media_type: str = "text/markdown"
) -> ReadResult:
    document = a_document_accepted(title="", language="", media_type=media_type)
    return await reader.read(document, content.encode(), ChunkRecipe())


@pytest.fixture
async def reader() -> AsyncIterator[ProcessReader]:
    async with ProcessReader(processes=1, time_limit=3, memory_bytes=2048 * MIB) as reader:
        await read(reader, "warm up")
        yield reader


async def test_a_document_is_read_in_another_process(reader: ProcessReader) -> None:
    reading = await read(reader, "# Tea\n\nHot.")
    assert (reading.title, [c.text for c in reading.chunks]) == ("Tea", ["Hot."])
    assert (await read(reader, "# Tee\n\nHeiß und süß, wie immer.")).language == "de"


async def test_a_document_is_redacted_where_it_is_read(masking: None) -> None:
    async with ProcessReader(processes=1, time_limit=30, memory_bytes=2048 * MIB) as reader:
        reading = await read(reader, "# Mail of ann@example.com\n\nCall +41 71 526 99 04.")
    [chunk] = reading.chunks
    assert reading.title == "Mail of [EMAIL_ADDRESS]"
    assert (chunk.heading_path, chunk.text) == ((reading.title,), "Call [PHONE_NUMBER].")


def test_passages_of_a_redacted_document_stand_where_they_say(masking: None) -> None:
    body = "\n\n".join(
        f"# Part {n} of p{n}@example.com\n\nAsk a{n}@example.com, not 8.8.8.{n}. Phone:\n\n"
        f"- +41 71 526 99 {n:02}\n- nobody\n\n```\nmail=c{n}@example.com\n```"
        for n in range(10, 60)
    )
    parsed = FORMATS["text/markdown"].parse(body.encode(), None)
    redacted = redacted_document(parsed, "acme")
    blocks = [block for section in parsed.sections for block in section.blocks]
    moved = [block for section in redacted.sections for block in section.blocks]
    assert [redact(parsed.text[each.start : each.end], "acme") for each in blocks] == [
        redacted.text[each.start : each.end] for each in moved
    ]
    edges = [edge for each in moved for edge in (each.start, each.end)]
    assert edges == sorted(edges)
    assert "@example.com" not in redacted.text + repr(redacted.sections)


async def test_a_refusal_comes_back_as_it_was(reader: ProcessReader) -> None:
    with pytest.raises(DocumentRefused) as refused:
        await read(reader, "<!-- -->")
    assert (refused.value.code, refused.value.field) == (RejectionCode.EMPTY, "content")


async def test_a_document_that_takes_too_long_is_refused_and_the_next_one_is_read(
    reader: ProcessReader,
) -> None:
    with pytest.raises(DocumentRefused) as refused:
        await read(reader, "<div>" * 100_000 + "x", "text/html")
    assert refused.value.code is RejectionCode.CORRUPT
    assert "took more than" in refused.value.problem
    assert (await read(reader, "Hot.")).chunks
    assert await reader.healthy()


async def test_what_comes_in_is_looked_at_while_a_document_takes_long() -> None:
    async with ProcessReader(processes=1, time_limit=60, memory_bytes=2048 * MIB) as reader:
        slow = asyncio.create_task(read(reader, "<div>" * 400_000 + "x", "text/html"))
        assert (await reader.media_type(b"# Tea", None, ())).name == "text/markdown"
        assert not slow.done()
        slow.cancel()


async def test_a_document_that_breaks_the_parser_is_refused_and_the_next_one_is_read(
    reader: ProcessReader,
) -> None:
    with pytest.raises(DocumentRefused) as refused:
        await read(reader, "---\nx: " + "[" * 30_000 + "\n---\n\ntext")
    assert refused.value.code is RejectionCode.CORRUPT
    assert (await read(reader, "Hot.")).chunks


class Panic(BaseException):
    """As parsers in Rust raise it; for its two arguments, it cannot be unpickled either."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what)


@pytest.mark.parametrize("error", [KeyError("k"), RecursionError(), SystemExit(1), Panic("a", "b")])
def test_whatever_a_parser_raises_is_a_refusal_that_names_it(error: BaseException) -> None:
    def parser() -> None:
        raise error

    with pytest.raises(DocumentRefused) as refused:
        run_guarded(parser)
    assert refused.value.code is RejectionCode.CORRUPT
    assert f"broke its parser ({type(error).__name__} in parser)" in refused.value.problem


async def test_a_document_is_read_after_processes_that_did_nothing_were_killed(
    reader: ProcessReader,
) -> None:
    for process in multiprocessing.active_children():
        process.kill()
    reading = None
    while reading is None:
        with suppress(Retryable):
            reading = await read(reader, "Hot.")
    assert reading.chunks
    assert await reader.healthy()


async def test_hostile_markdown_ends_in_chunks_or_a_refusal(reader: ProcessReader) -> None:
    for hostile in (
        ">" * 100_000,
        "[" * 100_000,
        "*a **b " * 20_000,
        "- " * 20_000,
        "".join("`" * n + " " for n in range(600)),
        f"---\n{BILLION_LAUGHS}---\n\ntext",
        "{{< " * 20_000,
        "|" + "a|" * 2_000 + "\n|" + "-|" * 2_000 + "\n" + "|x|\n" * 2_000,
        "[a]: b\n" * 20_000,
        "x" * 5 * MIB,
    ):
        with suppress(DocumentRefused):
            reading = await read(reader, hostile)
            assert max(len(one.text) for one in reading.chunks) <= 256 * 16
