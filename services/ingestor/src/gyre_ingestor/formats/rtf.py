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
_NOTE = re.compile(r"\{(?:\\\*)?\\footnote(?![a-z])(?:\\ftnalt(?![a-z]))? ?")
_NOTE_MARK = re.compile(rf"\{{{_WORDS}\\chftn ?\}} ?|\\chftn(?![a-z]) ?")
_BRACKET = re.compile(r"\\[{}\\]|[{}]")
_NUMBER = re.compile(r"\{\\(?:pntext|listtext)(?![a-z])")


def parse_rtf(data: bytes, _: str | None) -> ParsedDocument:
    """Its paragraphs and tables; it marks no headings. The file is ASCII, which escapes all else.
    Footnotes stand at its end, behind their numbers; heads and feet are left out.
    """
    outline = Outline()
    source = _NOTE_MARK.sub("", _UNSEEN.sub("", data.decode("cp1252", "replace")))
    source = _with_notes(_NUMBER.sub("{", _RAISED.sub(_raised, source)))
    text = rtf_to_text(source, errors="replace")  # type: ignore[no-untyped-call]
    for is_table, lines in groupby(filter(str.strip, text.splitlines()), key=_is_row):
        if is_table:
            read_rows([[cell.strip() for cell in line.split("|")[:-1]] for line in lines], outline)
        else:
            read_plain("\n\n".join(lines), outline)
    return outline.finish()


def _with_notes(source: str) -> str:
    """The source with a number where each footnote stood, and these as paragraphs at its end."""
    parts: list[str] = []
    notes: list[str] = []
    end = 0
    for match in _NOTE.finditer(source):
        if match.start() < end:
            continue
        number = f"[{len(notes) + 1}]"
        parts += [source[end : match.start()], number]
        end = _end_of_group(source, match.end())
        note = source[match.end() : end].removesuffix("}").strip()
        notes.append(f"{{\\par {number} {note}}}")
    rest, bracket, after = source[end:].rpartition("}")
    return "".join([*parts, rest, *notes, bracket, after])


def _end_of_group(source: str, at: int) -> int:
    """Behind the bracket that closes the group in which `at` is; the end where none does."""
    depth = 1
    for match in _BRACKET.finditer(source, at):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if not depth:
            return match.end()
    return len(source)


def _raised(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 2) : match.start()]
    return raised_words(before, match["inside"], is_upper=match["how"] == "super")


def _is_row(line: str) -> bool:
    """`striprtf` ends every cell of a table with a bar."""
    return line.rstrip().endswith("|")
