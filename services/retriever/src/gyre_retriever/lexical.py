"""The lexical leg: the words of a query, by the analyzers of all languages that an index holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

from gyre_common.chunk_index import BY_ANALYZER
from gyre_common.languages import languages_by_analyzer

from gyre_retriever.ports import SearchRequest

Body = Mapping[str, Any]

_HALF = 0.5


@dataclass(frozen=True)
class PassageCounts:
    """How many passages an index holds, and how many of them in each language."""

    total: int
    by_language: Mapping[str, int]

    def in_any(self, languages: Sequence[str]) -> int:
        """Passages in one of these languages."""
        return sum(self.by_language.get(language, 0) for language in languages)


def words_query(search: SearchRequest, counts: PassageCounts) -> Body:
    """BM25 of every passage, its words as the English analyzer reads them; of one whose language
    has an analyzer of its own that is one half of the score, and what that one finds the other.

    Nobody needs to know what the query is written in. Without passages in other languages it is
    the English search alone, to the digit.
    """
    present = {
        analyzer: languages
        for analyzer, languages in languages_by_analyzer().items()
        if counts.in_any(languages)
    }
    in_english = _words(search)
    if not present:
        return in_english
    others = [language for languages in present.values() for language in languages]
    halved = {
        "boosting": {
            "positive": in_english,
            "negative": {"terms": {"language": others}},
            "negative_boost": _HALF,
        }
    }
    by_analyzer = [
        _words(search, f"{BY_ANALYZER}.{analyzer}.", boost=_HALF * _scale(languages, counts))
        for analyzer, languages in present.items()
    ]
    return {"bool": {"should": [halved, *by_analyzer], "minimum_should_match": 1}}


def _words(search: SearchRequest, prefix: str = "", *, boost: float = 1) -> Body:
    fields = [
        f"{prefix}text",
        f"{prefix}title^{search.title_boost}",
        f"{prefix}heading_path^{search.heading_boost}",
    ]
    return {"combined_fields": {"query": search.text, "fields": fields, "boost": boost}}


def _scale(languages: Sequence[str], counts: PassageCounts) -> float:
    """Makes scores among few passages and among all of them comparable.

    Among n passages no term weighs more than about log(1 + n), so that rare ones lose all of that
    ratio and common ones nothing: its root lies between (figures in docs/adr/0044).
    """
    return sqrt(log(1 + counts.total) / log(1 + counts.in_any(languages)))
