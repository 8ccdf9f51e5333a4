"""A parsed document as it may be kept: redacted before it is cut, so that passages, their places
and what is embedded agree.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from gyre_common.redaction import RedactedText, redact, redaction_of

from gyre_ingestor.formats.parsed_document import (
    Block,
    Heading,
    ParsedDocument,
    Position,
    Section,
)

P = TypeVar("P", Heading, Block)


def redacted_document(document: ParsedDocument, tenant: str) -> ParsedDocument:
    """The document with its text, title, headings and names of sheets redacted for a tenant."""
    redaction = redaction_of(document.text, tenant)
    places = _Places(redaction)
    return ParsedDocument(
        title=redact(document.title, tenant),
        text=redaction.text,
        sections=tuple(_section(each, places, tenant) for each in document.sections),
        positions=tuple(
            (redaction.start(at), _position(each, tenant)) for at, each in document.positions
        ),
        notes=tuple(redact(note, tenant) for note in document.notes),
    )


def _section(section: Section, places: "_Places", tenant: str) -> Section:
    return Section(
        heading_path=tuple(redact(heading, tenant) for heading in section.heading_path),
        headings=tuple(places.moved(section.headings)),
        blocks=places.moved(section.blocks),
    )


def _position(position: Position, tenant: str) -> Position:
    if isinstance(position.value, int):
        return position
    return replace(position, value=redact(position.value, tenant))


class _Places:
    """Moves headings and blocks, in their order. Where one placeholder stands for the end of one
    and the beginning of the next, it stays with the first.
    """

    def __init__(self, redaction: RedactedText) -> None:
        self._redaction = redaction
        self._end = 0

    def moved(self, parts: Sequence[P]) -> list[P]:
        """Those of which something is left."""
        moved: list[P] = []
        for part in parts:
            start = max(self._end, self._redaction.start(part.start))
            end = max(start, self._redaction.end(part.end))
            self._end = end
            if start < end:
                moved.append(replace(part, start=start, end=end))
        return moved
