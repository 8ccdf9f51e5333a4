"""Parsed documents → chunks: as full as the window allows, along the document's own structure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from typing import Literal, Self
from uuid import NAMESPACE_URL, uuid5

from gyre_common.errors import FailedPrecondition
from gyre_common.events.documents import Chunk
from gyre_common.passages import context_line
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gyre_ingestor.formats.parsed_document import BlockKind, Heading, ParsedDocument, Section
from gyre_ingestor.tokens import (
    BY_LINE,
    BY_SENTENCE,
    SPECIAL_TOKENS,
    Span,
    TokenRuler,
    split,
    token_count,
)


class ChunkRecipe(BaseModel):
    """What an ingestion version says; sizes in tokens of the encoder.

    `max_tokens` is the encoder's whole window: passage, context line and special tokens.
    Passages under `min_tokens` are joined to a neighbour where both fit into one.
    """

    model_config = ConfigDict(frozen=True)

    max_tokens: int = Field(default=256, ge=64, le=8192)
    min_tokens: int = Field(default=48, ge=0)
    tokenizer: Literal["minilm-l6-v2"] = "minilm-l6-v2"

    @model_validator(mode="after")
    def _a_passage_can_be_tiny(self) -> Self:
        if self.min_tokens > self.max_tokens // 2:
            raise ValueError(f"min_tokens {self.min_tokens} is more than half of max_tokens")
        return self

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Read an ingestion artifact's settings; what it does not name keeps its default.

        Raises FailedPrecondition: a value cannot work.
        """
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            problems = [": ".join([*map(str, each["loc"]), each["msg"]]) for each in error.errors()]
            text = f"ingestion settings cannot work: {'; '.join(problems)}"
            raise FailedPrecondition(text) from error


def chunk(
    document: ParsedDocument, tenant: str, document_id: str, title: str, recipe: ChunkRecipe
) -> tuple[Chunk, ...]:
    """Cut a document into chunks that do not overlap, in reading order.

    A chunk's id follows from its document and from all that an encoder reads of it, so that an
    unchanged passage keeps its id, and its vector, from one revision to the next.
    """
    occurrences: Counter[tuple[tuple[str, ...], str]] = Counter()
    chunks = []
    for ordinal, passage in enumerate(_Packer(document, title, recipe).pack()):
        path, text = passage.heading_path, document.text[passage.start : passage.end]
        identity = (tenant, document_id, title, path, text, occurrences[path, text])
        occurrences[path, text] += 1
        chunks.append(
            Chunk(
                chunk_id=uuid5(NAMESPACE_URL, "gyre:chunk:" + json.dumps(identity)),
                ordinal=ordinal,
                text=text,
                heading_path=path,
                position=document.position(passage.start, passage.end),
                start=passage.start,
                end=passage.end,
            )
        )
    return tuple(chunks)


@dataclass(frozen=True, slots=True)
class _Passage:
    """Characters `start`..`end` of the document's text. `headings` stand directly before it."""

    heading_path: tuple[str, ...]
    start: int
    end: int
    headings: tuple[Heading, ...]


class _Packer:
    def __init__(self, document: ParsedDocument, title: str, recipe: ChunkRecipe) -> None:
        self._document = document
        self._title = title
        self._recipe = recipe
        self._size = TokenRuler(document.text).size
        self._budgets: dict[tuple[str, ...], int] = {}

    def pack(self) -> list[_Passage]:
        packed: list[_Passage] = []
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

    def _pack_section(self, section: Section) -> Iterator[_Passage]:
        """Passages of about equal size on each page, none over the budget."""
        budget = self._budget(section.heading_path)
        headings = section.headings
        pieces = self._pieces(section, budget)
        for _, part in groupby(pieces, key=lambda piece: self._document.part(piece[0])):
            yield from self._pack_part(section, list(part), budget, headings)
            headings = ()

    def _pack_part(
        self,
        section: Section,
        pieces: Sequence[Span],
        budget: int,
        headings: tuple[Heading, ...],
    ) -> Iterator[_Passage]:
        start, end = pieces[0]
        total = self._size(start, pieces[-1][1])
        target = -(-total // -(-total // budget))
        for next_start, next_end in pieces[1:]:
            if self._size(start, end) < target and self._size(start, next_end) <= budget:
                end = next_end
                continue
            yield _Passage(section.heading_path, start, end, headings)
            start, end, headings = next_start, next_end, ()
        yield _Passage(section.heading_path, start, end, headings)

    def _pieces(self, section: Section, budget: int) -> list[Span]:
        """What a passage is made of: blocks, or parts of those that are too long.

        A line that announces what follows ("… like this:") stays with it where both fit.
        """
        pieces: list[Span] = []
        is_announced = False
        for block in section.blocks:
            part = self._document.part(block.start)
            is_announced = is_announced and part == self._document.part(pieces[-1][0])
            if is_announced and self._size(pieces[-1][0], block.end) <= budget:
                pieces[-1] = pieces[-1][0], block.end
            else:
                is_prose = block.kind in (BlockKind.PARAGRAPH, BlockKind.ITEM)
                cuts = BY_SENTENCE if is_prose else BY_LINE
                whole = block.start, block.end
                pieces += split(self._document.text, whole, cuts, self._size, budget)
            ends_in_colon = self._document.text[block.end - 1] == ":"
            is_announced = ends_in_colon and block.kind is not BlockKind.CODE
        return pieces

    def _join(self, before: _Passage, after: _Passage) -> _Passage | None:
        """Both in one, where one of them is tiny and nothing is lost by it; else None.

        The joined passage stands under the headings that both share. Those that only one has must
        lie inside it, so a passage whose heading stands further up cannot take another one in.
        """
        if self._document.part(before.start) != self._document.part(after.start):
            return None
        sizes = (self._size(each.start, each.end) for each in (before, after))
        if min(sizes) >= self._recipe.min_tokens:
            return None
        both = zip(before.heading_path, after.heading_path, strict=False)
        shared_path = tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], both))
        depth = len(shared_path)
        inside = [heading for heading in before.headings if heading.depth >= depth]
        if len(inside) != len(before.heading_path) - depth:
            return None
        start = inside[0].start if inside else before.start
        if self._size(start, after.end) > self._budget(shared_path):
            return None
        outside = tuple(heading for heading in before.headings if heading.depth < depth)
        return replace(
            before, heading_path=shared_path, start=start, end=after.end, headings=outside
        )
