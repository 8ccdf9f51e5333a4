"""Sections → passages: as full as the window allows, along the document's own structure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gyre_common.passages import context_line

from gyre_ingestor.chunking.recipe import ChunkRecipe
from gyre_ingestor.chunking.split import split_long
from gyre_ingestor.chunking.tokens import SPECIAL_TOKENS, TokenRuler, token_count
from gyre_ingestor.parsers.outline import BlockKind, Heading, ParsedDocument, Section


@dataclass(frozen=True, slots=True)
class PassageSpan:
    """Characters `start`..`end` of the document's text. `headings` stand directly before it."""

    heading_path: tuple[str, ...]
    start: int
    end: int
    headings: tuple[Heading, ...] = ()


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int


def passages(document: ParsedDocument, title: str, recipe: ChunkRecipe) -> list[PassageSpan]:
    """Cut a document into passages that do not overlap, in reading order."""
    return _Packer(document, title, recipe).pack()


class _Packer:
    def __init__(self, document: ParsedDocument, title: str, recipe: ChunkRecipe) -> None:
        self._document = document
        self._title = title
        self._recipe = recipe
        self._ruler = TokenRuler(document.text)
        self._budgets: dict[tuple[str, ...], int] = {}

    def pack(self) -> list[PassageSpan]:
        packed: list[PassageSpan] = []
        for section in self._document.sections:
            for passage in self._pack_section(section):
                joined = self._join(packed[-1], passage) if packed else None
                if joined is not None:
                    packed[-1] = joined
                else:
                    packed.append(passage)
        return packed

    def _budget(self, heading_path: tuple[str, ...]) -> int:
        if heading_path not in self._budgets:
            context = token_count(context_line(self._title, heading_path))
            room = self._recipe.max_tokens - SPECIAL_TOKENS - context
            self._budgets[heading_path] = max(room, self._recipe.max_tokens // 4)
        return self._budgets[heading_path]

    def _size(self, span: _Span | PassageSpan) -> int:
        return self._ruler.size(span.start, span.end)

    def _pack_section(self, section: Section) -> Iterator[PassageSpan]:
        """Passages of about equal size, none over the budget."""
        budget = self._budget(section.heading_path)
        spans = self._spans(section, budget)
        total = self._ruler.size(spans[0].start, spans[-1].end)
        target = -(-total // -(-total // budget))
        headings = section.headings
        current = spans[0]
        for following in spans[1:]:
            longer = _Span(current.start, following.end)
            if self._size(current) < target and self._size(longer) <= budget:
                current = longer
                continue
            yield PassageSpan(section.heading_path, current.start, current.end, headings)
            current, headings = following, ()
        yield PassageSpan(section.heading_path, current.start, current.end, headings)

    def _spans(self, section: Section, budget: int) -> list[_Span]:
        """The pieces that a passage is made of: blocks, or parts of those that are too long.

        A line that announces what follows ("… like this:") stays with it where both fit.
        """
        spans: list[_Span] = []
        is_announced = False
        for block in section.blocks:
            whole = _Span(block.start, block.end)
            if is_announced and self._size(_Span(spans[-1].start, block.end)) <= budget:
                spans[-1] = _Span(spans[-1].start, block.end)
            elif self._size(whole) <= budget:
                spans.append(whole)
            else:
                pieces = split_long(self._document.text, block, self._ruler.size, budget)
                spans += [_Span(start, end) for start, end in pieces]
            is_announced = (
                block.kind is not BlockKind.CODE and self._document.text[block.end - 1] == ":"
            )
        return spans

    def _join(self, before: PassageSpan, after: PassageSpan) -> PassageSpan | None:
        """Both in one, where one of them is tiny and nothing is lost by it; else None.

        The joined passage stands under the headings that both share. Those that only one has must
        lie inside it, so a passage whose heading stands further up cannot take another one in.
        """
        min_tokens = self._recipe.min_tokens
        if min(self._size(before), self._size(after)) >= min_tokens:
            return None
        shared_path = _common_prefix(before.heading_path, after.heading_path)
        inside = tuple(heading for heading in before.headings if heading.depth >= len(shared_path))
        if len(inside) != len(before.heading_path) - len(shared_path):
            return None
        start = inside[0].start if inside else before.start
        if self._ruler.size(start, after.end) > self._budget(shared_path):
            return None
        outside = tuple(heading for heading in before.headings if heading.depth < len(shared_path))
        return replace(
            before, heading_path=shared_path, start=start, end=after.end, headings=outside
        )


def _common_prefix(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    common: list[str] = []
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        common.append(mine)
    return tuple(common)
