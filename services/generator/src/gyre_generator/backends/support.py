"""Which sentence of the passages supports a sentence of an answer: its terms, numbers and names.

The threshold comes from bench/generator.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gyre_common.text import Kind, Sentence, content_terms, sentences

from gyre_generator.passages import RetrievedPassage

SUPPORTED_AT = 0.6
"""Share of a sentence's terms that the passage's sentence, with those beside it and the heading,
must hold."""

_NAME = re.compile(r"(?<=[^\s.!?:] )[A-Z][\w'’.-]*")
_SAYS_NOTHING = frozenset({"yes", "no"})


@dataclass(frozen=True, slots=True)
class Support:
    """Characters `start`..`end` of passage `number`, counted from 1, hold `share` of the terms."""

    number: int
    start: int
    end: int
    share: float


@dataclass(frozen=True, slots=True)
class _Source:
    number: int
    sentence: Sentence
    terms: frozenset[str]
    context: frozenset[str]
    relevance: int


class SupportIndex:
    """The sentences of the passages by their terms. A look-up is linear in the sentence and in the
    places where its terms stand; of sentences that support as much, one that has more of the
    question's terms is nearer.
    """

    def __init__(self, passages: Sequence[RetrievedPassage], question: str = "") -> None:
        self.numbers = range(1, len(passages) + 1)
        self._terms_of_passage: dict[int, frozenset[str]] = {}
        self._sources: list[_Source] = []
        self._places: dict[str, list[int]] = {}
        question_terms = frozenset(content_terms(question))
        for number, passage in enumerate(passages, start=1):
            self._add(number, passage, question_terms)

    def _add(self, number: int, passage: RetrievedPassage, question_terms: frozenset[str]) -> None:
        heading = frozenset(content_terms(passage.heading))
        parts = sentences(passage.text)
        terms = [frozenset(content_terms(part.text)) for part in parts]
        self._terms_of_passage[number] = heading.union(*terms)
        around = [frozenset(), *terms, frozenset()]
        for at, (part, own) in enumerate(zip(parts, terms, strict=True)):
            context = heading | around[at] | own | around[at + 2]
            for term in own:
                self._places.setdefault(term, []).append(len(self._sources))
            self._sources.append(_Source(number, part, own, context, len(own & question_terms)))

    def support(
        self, text: str, *, preferred: Collection[int] = (), at: float = SUPPORTED_AT
    ) -> Support | None:
        """The nearest sentence that supports `text` from that share on, of the `preferred` passages
        where they hold as much; None where none does.
        """
        wanted = frozenset(content_terms(text))
        must = frozenset(t for t in wanted if t[0].isdigit()) | _names(text)
        shared = Counter(place for term in wanted for place in self._places.get(term, ()))
        best: tuple[tuple[float, ...], Support] | None = None
        for place, count in shared.items():
            source = self._sources[place]
            share = len(wanted & source.context) / len(wanted)
            if share < at or not must <= self._terms_of_passage[source.number]:
                continue
            own = count / len(wanted)
            order = (own, source.number in preferred, source.relevance, -place)
            if best is None or order > best[0]:
                part = source.sentence
                best = order, Support(source.number, part.start, part.end, share)
        return best[1] if best else None


def needs_support(sentence: Sentence) -> bool:
    """Whether a sentence of an answer says something: a heading, `Yes.` or a sign does not."""
    terms = set(content_terms(sentence.text)) - _SAYS_NOTHING
    return bool(terms) and sentence.kind is not Kind.HEADING


def _names(text: str) -> frozenset[str]:
    return frozenset(term for name in _NAME.findall(text) for term in content_terms(name))
