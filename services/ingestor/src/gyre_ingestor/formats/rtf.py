"""Rich Text Format."""

import re

from striprtf.striprtf import rtf_to_text

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.plain import read_plain

_HIDDEN = re.compile(r"\{\\v(?![a-z0-9])[^{}]*\}")


def parse_rtf(data: bytes, _: str | None) -> ParsedDocument:
    """Its paragraphs; it marks no headings. The file is ASCII, which escapes all else."""
    outline = Outline()
    source = _HIDDEN.sub("", data.decode("cp1252", "replace"))
    text = rtf_to_text(source, errors="replace")  # type: ignore[no-untyped-call]
    read_plain("\n\n".join(text.splitlines()), outline)
    return outline.finish()
