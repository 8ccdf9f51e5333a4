"""PDF: LiteParse tells headings, paragraphs, lists and tables apart, page by page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gyre_common.events.documents import RejectionCode
from liteparse import LiteParse, ParseError

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.pdf_hyphens import restore_hyphens
from gyre_ingestor.formats.pdf_pictures import note_on_pictures, picture_pages
from gyre_ingestor.formats.pdf_raised import write_raised_texts
from gyre_ingestor.formats.pdf_running import drop_running_heads
from gyre_ingestor.formats.pdf_tables import with_ruled_tables
from gyre_ingestor.refused import DocumentRefused, unreadable

MOST_PAGES = 5_000
_TESSERACT = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tessdata")
_LANGUAGE = "eng"


def parse_pdf(data: bytes, _: str | None) -> ParsedDocument:
    """Its pages in order; running heads and feet are left out. Scanned ones are read by Tesseract
    where it is installed; a note names those that were not.

    Raises DocumentRefused: it is damaged, encrypted, or scanned alone.
    """
    trained = trained_data()
    parser = LiteParse(
        extract_blocks=True,
        output_format="markdown",
        extract_links=False,
        extract_vector_graphics=True,
        emit_word_boxes=True,
        keep_headers_footers=True,
        ocr_enabled=bool(trained),
        tessdata_path=trained or None,
        ocr_language=_LANGUAGE,
        ocr_failure_fatal=False,
        max_pages=MOST_PAGES + 1,
        num_workers=1,
        quiet=True,
    )
    try:
        result = parser.parse(data)
    except ParseError as error:
        raise unreadable(f"is no PDF that can be read ({_first_line(error)})") from error
    if len(result.pages) > MOST_PAGES:
        raise unreadable(f"has more than {MOST_PAGES:,} pages")
    outline = Outline()
    drop_running_heads(result.pages)
    for page in result.pages:
        page.blocks = with_ruled_tables(page)
    restore_hyphens(result.pages)
    write_raised_texts(data, result.pages)
    for page in result.pages:
        outline.at("page", page.page_num)
        _read_page(page.blocks or [], outline)
    # Of several chapters none names the whole; then its file's name does.
    blocks = (block for page in result.pages for block in page.blocks or [])
    chapters = sum(block.kind == "heading" and block.level == 1 for block in blocks)
    if pictures := picture_pages(data, result.pages):
        outline.note(note_on_pictures(pictures, is_ocr_there=bool(trained)))
    document = outline.finish(by_heading=chapters == 1)
    if not document.sections and not trained and result.pages:
        fix = "install Tesseract where the ingestor runs (apt install tesseract-ocr) and submit it "
        raise DocumentRefused(
            RejectionCode.EMPTY,
            "content",
            "holds pictures of pages alone",
            f"{fix}again, or send it with a text layer",
        )
    return document


def trained_data() -> str:
    """Where Tesseract keeps what it has learned; nothing where it is not installed."""
    wanted = f"{_LANGUAGE}.traineddata"
    return next((path for path in _TESSERACT if Path(path, wanted).exists()), "")


def _read_page(blocks: Sequence[Any], outline: Outline) -> None:
    open_lists = 0
    for block in blocks:
        text = block.text or "\n".join(block.lines or [])
        wanted = (block.level or 0) + 1 if block.kind == "list_item" else 0
        while open_lists < wanted:
            outline.open_list(1 if block.ordered else None)
            open_lists += 1
        while open_lists > wanted:
            outline.close_list()
            open_lists -= 1
        match block.kind:
            case "heading":
                outline.heading(block.level or 2, text)
            case "list_item":
                outline.open_item()
                outline.paragraph(text)
            case "code":
                outline.code(text)
            case "table":
                outline.table(list(_rows(block)))
            case "figure" | "rule":
                pass
            case _:
                outline.paragraph(text)
    for _ in range(open_lists):
        outline.close_list()


def _rows(block: Any) -> Iterator[list[str]]:
    header = [cell.text for cell in block.header or ()]
    rows = [[cell.text for cell in row] for row in block.rows or ()]
    if not header and len(rows) > 1:
        header, *rows = rows
    yield header
    yield from rows


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
