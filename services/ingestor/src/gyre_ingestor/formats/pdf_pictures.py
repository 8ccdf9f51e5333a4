"""Pages of a PDF that show pictures and no text: scans that nobody has read."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

_SMALLEST = 0.05
"""Of the page: what is smaller is a logo or a line."""

_DEEPEST = 4
_MOST_NAMED = 8


def picture_pages(data: bytes, pages: Sequence[Any]) -> list[int]:
    """The numbers of those that hold a picture and no block of text."""
    silent = [page.page_num for page in pages if not any(map(_has_text, page.blocks or ()))]
    numbers: list[int] = []
    if silent:
        with suppress(pypdfium2.PdfiumError), pypdfium2.PdfDocument(data) as document:
            numbers += (number for number in silent if _has_picture(document[number - 1]))
    return numbers


def note_on_pictures(pages: Sequence[int], *, is_ocr_there: bool) -> str:
    """What is not read of them, and how it would be. `pages` are in order, and there is one."""
    one = len(pages) == 1
    holds = f"{_named(pages)} {'holds' if one else 'hold'} pictures"
    if is_ocr_there:
        return f"{holds} in which no text was seen"
    return (
        f"{holds} without text: install Tesseract where the ingestor runs (apt install "
        f"tesseract-ocr) and submit the document again to have {'it' if one else 'them'} read"
    )


def _has_text(block: Any) -> bool:
    if block.kind in ("figure", "rule"):
        return False
    return bool(block.text or block.lines or block.header or block.rows)


def _has_picture(page: Any) -> bool:
    width, height = page.get_size()
    least = width * height * _SMALLEST
    pictures = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=_DEEPEST)
    return any(_area(each.get_bounds()) >= least for each in pictures)


def _area(bounds: tuple[float, float, float, float]) -> float:
    left, bottom, right, top = bounds
    return abs(right - left) * abs(top - bottom)


def _named(pages: Sequence[int]) -> str:
    """`page 3`, `pages 3 and 7`, `pages 3–5, 9 and 12`."""
    runs = list(_runs(pages))
    more = len(runs) - _MOST_NAMED
    if more > 0:
        return f"pages {', '.join(runs[:_MOST_NAMED])} and others, {len(pages)} in all,"
    *before, last = runs
    words = f"{', '.join(before)} and {last}" if before else last
    return f"page {words}" if len(pages) == 1 else f"pages {words}"


def _runs(pages: Sequence[int]) -> Iterator[str]:
    """Pages in a row as one, with a dash."""
    breaks = [at for at, (one, next_one) in enumerate(pairwise(pages), 1) if next_one != one + 1]
    for start, end in pairwise([0, *breaks, len(pages)]):
        first, last = pages[start], pages[end - 1]
        yield str(first) if first == last else f"{first}–{last}"
