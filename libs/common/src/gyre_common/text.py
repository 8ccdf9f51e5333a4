"""Reading text without a model: sentences with their places, and terms that can be compared."""

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import sentencex
import snowballstemmer


class Kind(StrEnum):
    """What a stretch of text is."""

    PROSE = "prose"
    ITEM = "item"
    CODE = "code"
    TABLE = "table"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text` is exactly characters `start`..`end` of what was cut."""

    text: str
    start: int
    end: int
    kind: Kind = Kind.PROSE


def sentences(text: str, *, language: str = "en") -> list[Sentence]:
    """The sentences of plain or Markdown text in reading order.

    A fenced block and a table's row are one sentence each, and a table's header is a heading; a
    list item is cut like prose, its bullet left out; line breaks inside a paragraph end nothing.
    """
    pieces = (piece for block in _blocks(text) for piece in _pieces(text, block, language))
    return [Sentence(text[start:end], start, end, kind) for kind, start, end in pieces]


def prose_spans(text: str, *, language: str = "en") -> Iterator[tuple[int, int]]:
    """Where each sentence of one paragraph starts and ends; line breaks end nothing."""
    # Same length as the original, so that offsets hold; the splitter would end a sentence at a line
    # break and refuses lone surrogates.
    flat = _SURROGATE.sub("\ufffd", text.replace("\n", " "))
    start = end = 0
    for boundary in sentencex.get_sentence_boundaries(language, flat):
        if end > start and not _goes_on(flat, start, end):
            yield start, end
            start = boundary["start_index"]
        end = boundary["end_index"]
    if end > start:
        yield start, end


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether what ends at `end` ends with a word that is shortened, and the sentence does not."""
    last = _SHORTENED.search(text, max(start, end - _LONGEST_SHORTENED), end)
    return last is not None and _AFTER_SHORTENED.match(text, end) is not None


@dataclass(frozen=True, slots=True)
class _Block:
    kind: Kind
    start: int
    end: int


_SHORTENED = re.compile(
    r"\b(?:approx|appr|avg|ca|cf|ch|dept|ed|eds|eq|eqs|est|etc|excl|ext|fig|figs|hrs?|incl|max|min"
    r"|misc|no|nos|orig|para|pp?|par|ref|refs|resp|sec|secs|std|tel|temp|temps|var|ver|viz|vol|vols"
    r"|vs|u\.s|e\.g|i\.e|a\.m|p\.m)\.\s*\Z",
    re.IGNORECASE,
)
"""Words that `sentencex` ends an English sentence at, as it knows few of those in documents of
technology and trade."""
_LONGEST_SHORTENED = 24
_AFTER_SHORTENED = re.compile(r"\s*(?:[a-z]|[(\[]?[\d#±~≈<>§€$£])")

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_TABLE = re.compile(r"\s*\|.*\|\s*$")
_TABLE_RULE = re.compile(r"[\s|:-]+")
_LINE = re.compile(r"[^\n]*\n?")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MERGES = frozenset({Kind.PROSE, Kind.ITEM, Kind.TABLE})


def _blocks(text: str) -> Iterator[_Block]:
    """Stretches of one kind. A line that opens nothing continues the paragraph or item before."""
    open_block: _Block | None = None
    fence = ""
    for line in _LINE.finditer(text):
        start, end, content = line.start(), line.end(), line.group()
        if start == end:
            break
        if fence and open_block:
            open_block = _Block(Kind.CODE, open_block.start, end)
            if content.strip().startswith(fence):
                yield open_block
                open_block, fence = None, ""
            continue
        if not content.strip():
            if open_block:
                yield open_block
            open_block = None
            continue
        kind, begins = _classify(content, open_block)
        if open_block and (begins or kind is not open_block.kind):
            yield open_block
            open_block = None
        if kind is Kind.CODE:
            opener = _FENCE.match(content)
            fence = opener.group(1) if opener else ""
        if kind is Kind.ITEM and begins and (bullet := _ITEM.match(content)):
            start += bullet.end()
        open_block = _Block(kind, open_block.start if open_block else start, end)
    if open_block:
        yield open_block


def _classify(line: str, before: _Block | None) -> tuple[Kind, bool]:
    """The line's kind, and whether it begins a block of its own."""
    if _FENCE.match(line):
        return Kind.CODE, True
    if _HEADING.match(line):
        return Kind.HEADING, True
    if _TABLE.match(line):
        return Kind.TABLE, False
    if _ITEM.match(line):
        return Kind.ITEM, True
    continued = before.kind if before and before.kind in _MERGES - {Kind.TABLE} else Kind.PROSE
    return continued, False


def _pieces(text: str, block: _Block, language: str) -> Iterator[tuple[Kind, int, int]]:
    spans: Iterable[tuple[Kind, int, int]] = [(block.kind, block.start, block.end)]
    if block.kind is Kind.TABLE:
        spans = _rows(text, block)
    elif block.kind in (Kind.PROSE, Kind.ITEM):
        prose = prose_spans(text[block.start : block.end], language=language)
        spans = ((block.kind, block.start + start, block.start + end) for start, end in prose)
    for kind, start, end in spans:
        if content := text[start:end].strip():
            start = text.index(content, start)
            yield kind, start, start + len(content)


def _rows(text: str, block: _Block) -> Iterator[tuple[Kind, int, int]]:
    """A table's rows without the rule under the header; what stands over that is a heading."""
    lines = [line.span() for line in _LINE.finditer(text, block.start, block.end) if line.group()]
    rules = [_TABLE_RULE.fullmatch(text, start, end) is not None for start, end in lines]
    for number, (start, end) in enumerate(lines):
        if not rules[number]:
            is_header = number + 1 < len(lines) and rules[number + 1]
            yield (Kind.HEADING if is_header else Kind.TABLE), start, end


STOP_WORDS = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being between
    both but by can could did do does doing done down during each few for from further get gets give
    given had has have having he her here hers him his how however i if in into is it its itself
    just let like made make makes many may me might more most much must my no nor not now of off on
    once one only or other our out over own please same shall she should show so some such tell than
    that the their them then there these they this those through to too under until up upon us use
    used using very was we were what when where whether which while who whom whose why will with
    would you your
    """.split()  # noqa: SIM905  (a list of words reads better as words)
)
"""English function words, and the verbs that only carry a question."""

_TERM = re.compile(
    r"\d+(?:[.,:]\d+)*"  # 3, 1.31, 1,024, 09:30
    r"|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # scripts without spaces: one term a character
    r"|[^\W\d_][^\W_]*(?:['’][^\W\d_]+)*"
)
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
    )
}
_stemmer = snowballstemmer.stemmer("english")
_stemming = threading.Lock()  # a stemmer keeps the word it works on in itself


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """One word by Snowball's English stemmer (Porter 2); a number in digits: `two` is `2`."""
    folded = word.casefold().replace("’", "'")
    if folded[0].isdigit():
        return folded.replace(",", "")
    if folded in _NUMBER_WORDS:
        return _NUMBER_WORDS[folded]
    with _stemming:
        stemmed: str = _stemmer.stemWord(folded)
    return stemmed.removesuffix("'s").removesuffix("'")


def words(text: str) -> list[str]:
    """Every word and number in reading order, as it is written."""
    return _TERM.findall(text)


def terms(text: str) -> list[str]:
    """Every term in reading order, function words included."""
    return [stem(word) for word in words(text)]


def content_terms(text: str) -> list[str]:
    """The terms that carry the meaning, in reading order."""
    return [stem(word) for word in _TERM.findall(text) if word.casefold() not in STOP_WORDS]


def holds_number(word: str) -> bool:
    """Whether a word in lower case names a number: `7`, `v1.31`, `two`."""
    return word in _NUMBER_WORDS or (not word.isalpha() and any(map(str.isdigit, word)))


def numbers(text: str) -> frozenset[str]:
    """The numbers a text names, as digits without separators of thousands."""
    numbers = {number.replace(",", "") for number in _NUMBER.findall(text)}
    words = {_NUMBER_WORDS[t] for t in re.findall(r"[a-z]+", text.lower()) if t in _NUMBER_WORDS}
    return frozenset(numbers | words)
