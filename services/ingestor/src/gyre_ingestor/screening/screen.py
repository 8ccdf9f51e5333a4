"""Looks a parsed document through for what should not be indexed unseen."""

import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from uuid import UUID

from gyre_common.events.documents import Chunk, Finding, FindingKind
from gyre_common.redaction import redact

from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.screening.hidden import hidden_texts
from gyre_ingestor.screening.instructions import ENOUGH, INSTRUCTIONS
from gyre_ingestor.screening.toxicity import abusive_places
from gyre_ingestor.screening.words import Word, words_of

MOST_FINDINGS = 5
IN_TITLE = "title"
"""Where a finding stands that is in no part of the text."""

_TOGETHER = 60
"""Words within which weak signs count together."""

_LONGEST_SENTENCE = 300
_SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f](?=\s)|\n{2,}")
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e"


@dataclass(frozen=True)
class _Place:
    """Characters `start`..`end` of a text, and the rules that they break."""

    start: int
    end: int
    rules: tuple[str, ...]


def screen(
    document: ParsedDocument, title: str, tenant: str, kinds: Collection[FindingKind]
) -> tuple[Finding, ...]:
    """At most `MOST_FINDINGS`, as they stand in the document; those of its title first.

    The document is redacted for its tenant; what is hidden in it is redacted here.
    """
    of_title = (
        finding.model_copy(update={"position": IN_TITLE})
        for finding in _of_text(title, tenant, kinds)
    )
    of_text = _of_text(document.text, tenant, kinds, document)
    return tuple(islice(chain(of_title, of_text), MOST_FINDINGS))


def _of_text(
    text: str,
    tenant: str,
    kinds: Collection[FindingKind],
    document: ParsedDocument | None = None,
) -> Iterator[Finding]:
    words = words_of(text)
    if FindingKind.INSTRUCTIONS in kinds:
        for place, hidden in _all_instructions(words, text):
            shown = redact(hidden, tenant)  # whole: of a shortened name nobody sees what it is
            yield _finding(FindingKind.INSTRUCTIONS, place, text, document, shown)
    if FindingKind.TOXICITY in kinds:
        for first, end in abusive_places(words):
            place = _Place(words[first].start, words[end - 1].end, ("abuse",))
            yield _finding(FindingKind.TOXICITY, place, text, document)


def instructing_passages(
    document: ParsedDocument, title: str, chunks: Sequence[Chunk]
) -> frozenset[UUID]:
    """The ids of the passages that instruct the model, by their text or by the headings that go
    with it into a prompt; all of them where the title does.
    """
    if any(_all_instructions(words_of(title), title)):
        return frozenset(chunk.chunk_id for chunk in chunks)
    places = [place for place, _ in _all_instructions(words_of(document.text), document.text)]
    paths = {path: "\n".join(path) for path in {chunk.heading_path for chunk in chunks}}
    bad_paths = {
        path for path, text in paths.items() if any(_all_instructions(words_of(text), text))
    }
    return frozenset(
        chunk.chunk_id
        for chunk in chunks
        if chunk.heading_path in bad_paths
        or any(place.start < chunk.end and chunk.start < place.end for place in places)
    )


def _all_instructions(words: Sequence[Word], text: str) -> Iterator[tuple[_Place, str]]:
    """With what is written there in a way that people do not read; empty where they do."""
    for place in _instructions(words, text):
        yield place, ""
    for hidden, start, end in hidden_texts(text):
        for place in _instructions(words_of(hidden), hidden):
            yield _Place(start, end, ("in hidden text", *place.rules)), hidden


def _instructions(words: Sequence[Word], text: str) -> Iterator[_Place]:
    """Places whose rules weigh enough together, one after another."""
    near: deque[tuple[int, int, str, int]] = deque()
    passed = 0
    for first, end, rule in INSTRUCTIONS.matches([word.text for word in words]):
        if first < passed:
            continue
        quoted = _is_quoted(words[first].start, words[end - 1].end, text)
        near.append((first, end, rule.name, rule.points - quoted))
        while near[0][0] < first - _TOGETHER:
            near.popleft()
        weights: dict[str, int] = {}
        for _, _, name, weight in near:
            weights[name] = max(weights.get(name, 0), weight)
        if sum(weights.values()) >= ENOUGH:
            passed = max(each[1] for each in near)
            yield _Place(words[near[0][0]].start, words[passed - 1].end, tuple(weights))
            near.clear()


def _is_quoted(start: int, end: int, text: str) -> bool:
    """Whether quotation marks hold the words and hardly more: then they are spoken of."""
    before, after = text[max(0, start - 1) : start], text[end : end + 3]
    return any(one in _QUOTES for one in before) and any(one in _QUOTES for one in after)


def _finding(
    kind: FindingKind,
    place: _Place,
    text: str,
    document: ParsedDocument | None,
    hidden: str = "",
) -> Finding:
    position = document.position(place.start, place.end) if document else ""
    return Finding(
        kind=kind,
        rule=", ".join(place.rules),
        sentence=_shortened(hidden) if hidden else _sentence(text, place),
        position=position or f"line {text.count(chr(10), 0, place.start) + 1}",
    )


def _sentence(text: str, place: _Place) -> str:
    """The sentence or sentences around the place."""
    before = text[max(0, place.start - _LONGEST_SENTENCE) : place.start]
    begins = [match.end() for match in _SENTENCE_END.finditer(before)]
    start = place.start - len(before) + (begins[-1] if begins else 0)
    following = _SENTENCE_END.search(text, place.end, place.end + _LONGEST_SENTENCE)
    end = following.end() if following else min(len(text), place.end + _LONGEST_SENTENCE)
    return _shortened(text[start:end])


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SENTENCE else f"{line[: _LONGEST_SENTENCE - 1]}\u2026"
