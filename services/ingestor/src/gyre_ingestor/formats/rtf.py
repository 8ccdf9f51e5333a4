"""Rich Text Format."""

import re
from itertools import groupby

from striprtf.striprtf import rtf_to_text

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.plain import read_plain
from gyre_ingestor.formats.raised import raised_words
from gyre_ingestor.formats.sheet_tables import read_rows

_UNSEEN = re.compile(r"\{\\(?:v|deleted)(?![a-z0-9])[^{}]*\}")
_WORDS = r"(?:\\[a-z]{1,20}-?\d{0,6} ?){0,20}"
_RAISED = re.compile(
    rf"\{{{_WORDS}\\(?P<how>super|sub)(?![a-z]) ?{_WORDS}(?P<inside>[^{{}}\\]{{1,40}})\}}"
)
_NUMBER = re.compile(r"\{\\(?:pntext|listtext)(?![a-z])")


def parse_rtf(data: bytes, _: str | None) -> ParsedDocument:
    """Its paragraphs and tables; it marks no headings. The file is ASCII, which escapes all else.
    Footnotes, heads and feet are left out.
    """
    outline = Outline()
    source = _UNSEEN.sub("", data.decode("cp1252", "replace"))
    source = _NUMBER.sub("{", _RAISED.sub(_raised, source))
    text = rtf_to_text(source, errors="replace")  # type: ignore[no-untyped-call]
    for is_table, lines in groupby(filter(str.strip, text.splitlines()), key=_is_row):
        if is_table:
            read_rows([[cell.strip() for cell in line.split("|")[:-1]] for line in lines], outline)
        else:
            read_plain("\n\n".join(lines), outline)
    return outline.finish()


def _raised(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 2) : match.start()]
    return raised_words(before, match["inside"], is_upper=match["how"] == "super")


def _is_row(line: str) -> bool:
    """`striprtf` ends every cell of a table with a bar."""
    return line.rstrip().endswith("|")
