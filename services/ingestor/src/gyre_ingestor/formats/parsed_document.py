"""The one shape that every format is read into: simple Markdown, and what stands where in it."""

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from operator import itemgetter

_PARTS = ("page", "slide", "sheet")


class BlockKind(StrEnum):
    """What a block is; code and tables are kept whole where they fit."""

    PARAGRAPH = "paragraph"
    ITEM = "item"
    CODE = "code"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Position:
    """A part of the original, such as page 4 or the sheet Prices."""

    unit: str
    value: int | str

    def to(self, last: "Position") -> str:
        """From this one to `last`, for people: `page 4`, `pages 4–5`, `sheets Prices, Taxes`."""
        if self == last or self.unit != last.unit:
            return f"{self.unit} {self.value}"
        sign = "–" if isinstance(self.value, int) else ", "
        return f"{self.unit}s {self.value}{sign}{last.value}"


@dataclass(frozen=True, slots=True)
class Block:
    """Characters `start`..`end` of the document's text."""

    kind: BlockKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading line before a section's first block; `depth` is its place in the path, from 0."""

    depth: int
    start: int
    end: int


@dataclass(slots=True)
class Section:
    """The blocks between two headings. `headings` are those opened since the last block."""

    heading_path: tuple[str, ...]
    headings: tuple[Heading, ...] = ()
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class ParsedDocument:
    """Cleaned text with its sections in reading order; every offset is a character of `text`.

    The text is Markdown with the little markup that tells headings, items, code and tables apart.
    `positions` says from which character on the text stands where in the original, in order;
    `notes` what of the original is not read, for people.
    """

    title: str
    text: str
    sections: tuple[Section, ...]
    positions: tuple[tuple[int, Position], ...] = ()
    notes: tuple[str, ...] = ()

    def part(self, at: int) -> int:
        """The page, slide or sheet that a character is on, counted from 1; 0 for none. Passages do
        not cross from one to the next, so that a citation names the right one.
        """
        return bisect_right(self._parts, at)

    @cached_property
    def _parts(self) -> list[int]:
        return [start for start, position in self.positions if position.unit in _PARTS]

    def position(self, start: int, end: int) -> str:
        """Of characters `start`..`end`, for people; empty where the original has no such parts."""
        first, last = (
            bisect_right(self.positions, at, key=itemgetter(0)) - 1 for at in (start, end - 1)
        )
        if last < 0:
            return ""
        return self.positions[max(first, 0)][1].to(self.positions[last][1])
