"""A block too long for one passage → pieces that are not, cut where it hurts least."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from gyre_common.text import prose_spans

from gyre_ingestor.parsers.outline import Block, BlockKind

Cut = Callable[[str], Iterable[int]]
Measure = Callable[[int, int], int]

_LINE_START = re.compile(r"(?<=\n)(?=[^\n])")
_WORD_START = re.compile(r"(?<=\s)(?=\S)")


def split_long(text: str, block: Block, size: Measure, budget: int) -> Iterator[tuple[int, int]]:
    """Cut prose between sentences, code and tables between lines; spans of `text`, in order.

    A sentence or line that is still too long is cut between words, an endless word anywhere.
    `size` measures a span of `text`; no piece is larger than `budget`, many are much smaller.
    """
    is_prose = block.kind in (BlockKind.PARAGRAPH, BlockKind.ITEM)
    cuts = (_sentences, _lines, _words) if is_prose else (_lines, _words)
    return _pieces(text, block.start, block.end, cuts, size, budget)


def _pieces(
    text: str, start: int, end: int, cuts: Sequence[Cut], size: Measure, budget: int
) -> Iterator[tuple[int, int]]:
    if size(start, end) <= budget:
        yield start, end
        return
    if not cuts:
        # A token is one character or more. Equal pieces leave no short end, which the tokenizer
        # would spell out where it gives up on a word of more than 100 characters.
        step = -(-(end - start) // -(-(end - start) // budget))
        for first in range(start, end, step):
            yield first, min(first + step, end)
        return
    bounds = [start, *(start + at for at in cuts[0](text[start:end]) if 0 < at < end - start), end]
    for first, last in pairwise(bounds):
        stripped_end = last - _trailing_space(text, first, last)
        if stripped_end > first:
            yield from _pieces(text, first, stripped_end, cuts[1:], size, budget)


def _trailing_space(text: str, start: int, end: int) -> int:
    piece = text[start:end]
    return len(piece) - len(piece.rstrip())


def _sentences(text: str) -> Iterator[int]:
    return (start for start, _ in prose_spans(text))


def _lines(text: str) -> Iterator[int]:
    return (match.start() for match in _LINE_START.finditer(text))


def _words(text: str) -> Iterator[int]:
    return (match.start() for match in _WORD_START.finditer(text))
