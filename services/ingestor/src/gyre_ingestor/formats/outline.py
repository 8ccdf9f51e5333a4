"""Writes a document's parts, in reading order, into the shape that every format is read into."""

from collections.abc import Sequence
from itertools import zip_longest

from gyre_ingestor.formats.parsed_document import (
    Block,
    BlockKind,
    Heading,
    ParsedDocument,
    Position,
    Section,
)
from gyre_ingestor.text_decoding import normalized

LONGEST_HEADING = 500
"""Characters. Every passage below carries its headings along; what is longer is text."""

_LONGEST_NOTE = 300
_MOST_NOTES = 20
_DEEPEST_INDENT = 7
_MOST_REPEATED = 1_000_000
"""Characters of columns' names that one table may be longer by."""


def joined_names(heads: Sequence[Sequence[str]]) -> list[str]:
    """Rows of names of columns as one, from top to bottom."""
    columns = zip_longest(*heads, fillvalue="")
    return [" ".join(dict.fromkeys(filter(None, names))) for names in columns]


class Outline:
    """Collects them: headings, paragraphs, lists, tables, code."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._last: BlockKind | None = None
        self._path: list[tuple[int, str]] = []
        self._open_headings: list[Heading] = []
        self._section = Section(())
        self._sections = [self._section]
        self._first_h1 = ""
        self._lists: list[int | None] = []
        self._marker = ""
        self._positions: list[tuple[int, Position]] = []
        self._notes: list[str] = []

    def at(self, unit: str, value: int | str) -> None:
        """What follows stands there in the original."""
        self._positions.append((self._length, Position(unit, value)))

    def note(self, text: str) -> None:
        """Say for people what of the document is not read, and what they can do."""
        if text:
            self._notes.append(" ".join(normalized(text).split())[:_LONGEST_NOTE])

    def heading(self, level: int, text: str) -> None:
        """Open a section. `level` counts from 1, as in HTML."""
        text = " ".join(normalized(text).split())
        if not text:
            return
        if len(text) > LONGEST_HEADING:
            self._block(BlockKind.PARAGRAPH, text)
            return
        if level == 1:
            self._first_h1 = self._first_h1 or text
        self._keep_lone_headings(level)
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        start, end = self._write(f"{'#' * level} {text}", "\n\n")
        self._open_headings.append(Heading(len(self._path), start, end))
        self._path.append((level, text))
        self._last = None

    def open_list(self, first: int | None = None) -> None:
        """Paragraphs are items until the list is closed, numbered where `first` is given."""
        self._lists.append(first)

    def close_list(self) -> None:
        """Close the innermost list, if one is open."""
        if self._lists:
            self._lists.pop()

    def open_item(self, label: str = "") -> None:
        """The next paragraph begins an item of the innermost list, numbered `label` where given."""
        number = self._lists[-1] if self._lists else None
        if label.rstrip(".").isdecimal() and number is not None:
            number = int(label.rstrip("."))
        self._marker = f"{label} " if label else "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def paragraph(self, text: str) -> None:
        """Add a paragraph, or in a list an item or what belongs to it."""
        if not self._lists:
            self._block(BlockKind.PARAGRAPH, text)
            return
        indent = "  " * min(len(self._lists) - 1, _DEEPEST_INDENT)
        self._block(BlockKind.ITEM, f"{indent}{self._marker}{text}")
        self._marker = "  "

    def code(self, text: str, language: str = "", *, first_line: int | None = None) -> None:
        """Add a block of code, fenced; `first_line` is where in the original it begins."""
        if first_line is not None:
            first_line += len(text) - len(text.lstrip("\n"))
        text = text.strip("\n").rstrip()
        if not text.strip():
            return
        fence = "~~~~" if "```" in text else "```"
        block = self._block(BlockKind.CODE, f"{fence}{language}\n{text}\n{fence}")
        if first_line is not None and block is not None:
            self._mark_lines(block, first_line)

    def table(self, rows: Sequence[Sequence[str]], *, caption: str = "") -> None:
        """Add a table: the cells of every row, the header first (empty where there is none).

        Each cell stands behind its column's name, so that every row makes sense alone; where no
        column has one, or long names would be repeated too often, between bars. A row of one cell
        among wider ones is one over the whole width. The caption comes first.
        """
        header, *others = rows
        others = [row for row in others if any(row)]
        repeated = sum(map(len, header)) * max(len(others) - 1, 0)
        if any(header) and others and repeated <= _MOST_REPEATED:
            lines = [_record(header, row) for row in others]
        else:
            lines = [_bars(row) for row in ([header, *others] if any(header) else others)]
        self._block(BlockKind.PARAGRAPH, caption)
        self._block(BlockKind.TABLE, "\n".join(lines))

    def records(self, lines: Sequence[str]) -> None:
        """Add rows that name their fields themselves."""
        self._block(BlockKind.TABLE, "\n".join(f"- {line}" for line in lines if line))

    def finish(self, title: str = "", *, by_heading: bool = True) -> ParsedDocument:
        """The document, titled by its first level-1 heading unless `title` says otherwise, or no
        heading is to be its title.
        """
        self._keep_lone_headings(0)
        return ParsedDocument(
            title=" ".join(normalized(title).split()) or (self._first_h1 if by_heading else ""),
            text="".join(self._parts),
            sections=tuple(section for section in self._sections if section.blocks),
            positions=tuple(self._positions),
            notes=tuple(dict.fromkeys(self._notes))[:_MOST_NOTES],
        )

    def _mark_lines(self, block: Block, first: int) -> None:
        """The fence stands above the first line and below the last one."""
        opening, *lines, _ = self._parts[-1].split("\n")
        at = block.start + len(opening) + 1
        for number, line in enumerate(lines, start=first):
            self._positions.append((at, Position("line", number)))
            at += len(line) + 1

    def _block(self, kind: BlockKind, text: str) -> Block | None:
        text = normalized(text)
        text = text.strip() if kind is BlockKind.PARAGRAPH else text.strip("\n").rstrip()
        if not text:
            return None
        if self._open_headings or not self._section.blocks:
            self._begin_section(tuple(text for _, text in self._path))
        tight = kind is BlockKind.ITEM and self._last is BlockKind.ITEM
        start, end = self._write(text, "\n" if tight else "\n\n")
        block = Block(kind, start, end)
        self._section.blocks.append(block)
        self._last = kind
        return block

    def _begin_section(self, path: tuple[str, ...]) -> None:
        self._section = Section(path, tuple(self._open_headings))
        self._sections.append(self._section)
        self._open_headings = []

    def _keep_lone_headings(self, level: int) -> None:
        """Headings of `level` or deeper that got no text become text of what is above them."""
        depth = sum(1 for known, _ in self._path if known < level)
        lone_headings = [heading for heading in self._open_headings if heading.depth >= depth]
        if not lone_headings:
            return
        self._open_headings = [heading for heading in self._open_headings if heading.depth < depth]
        outer = tuple(text for _, text in self._path[: lone_headings[0].depth])
        if self._open_headings or self._section.heading_path != outer:
            self._begin_section(outer)
        self._section.blocks += [
            Block(BlockKind.PARAGRAPH, heading.start, heading.end) for heading in lone_headings
        ]

    def _write(self, text: str, separator: str) -> tuple[int, int]:
        if self._length:
            self._parts.append(separator)
            self._length += len(separator)
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        return start, self._length


def _record(header: Sequence[str], row: Sequence[str]) -> str:
    if len(row) == 1 < len(header):
        return f"- {row[0]}"
    cells = zip_longest(header, row, fillvalue="")
    named_cells = [f"{name}: {cell}" if name else cell for name, cell in cells if cell]
    return f"- {'; '.join(named_cells)}"


def _bars(row: Sequence[str]) -> str:
    return f"| {' | '.join(row).rstrip(' |')} |"
