"""Running heads and feet of a PDF: what pages repeat at their edges is no text of theirs."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_EDGE = 0.12
"""Of the page's height."""

_LONGEST = 150
_NUMBER = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"(?:(?:page|seite|p\.|página|pagina|pág\.) ?)?[-–—|]? ?# ?[-–—|]?"
    r"(?: ?(?:of|/|von|de|di|sur) ?#)?\Z",
    re.IGNORECASE,
)


class _Line(NamedTuple):
    block: Any
    is_top: bool
    text: str
    pattern: str
    """The text with `#` for numbers."""


def drop_running_heads(pages: Sequence[Any]) -> None:
    """From the pages' blocks: page numbers, what stands at the same edge of two pages, and what
    does so on three but for its numbers. A heading goes only where it was read before.
    """
    lines = [list(_lines(page)) for page in pages]
    texts = Counter(key for page in lines for key in {(each.is_top, each.text) for each in page})
    patterns = Counter(
        key for page in lines for key in {(each.is_top, each.pattern) for each in page}
    )
    read: set[str] = set()
    for page, own in zip(pages, lines, strict=True):
        dropped = []
        for line in own:
            if line.block.kind == "heading":
                is_repeated = texts[line.is_top, line.text] > 2 and line.text in read
                read.add(line.text)
            else:
                is_repeated = (
                    texts[line.is_top, line.text] > 1
                    or patterns[line.is_top, line.pattern] > 2
                    or bool(_PAGE_NUMBER.match(line.pattern))
                )
            if is_repeated:
                dropped.append(line.block)
        page.blocks = [
            block for block in page.blocks or () if not any(block is each for each in dropped)
        ]


def _lines(page: Any) -> Iterator[_Line]:
    for block in page.blocks or ():
        text = " ".join((block.text or "").split())
        if block.bbox is None or not text or len(text) > _LONGEST:
            continue
        is_top = block.bbox.y + block.bbox.height < _EDGE * page.height
        if is_top or block.bbox.y > (1 - _EDGE) * page.height:
            yield _Line(block, is_top, text, _NUMBER.sub("#", text))
