"""The lexical leg: the words of a query, by the analyzers of all languages that an index holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
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


def words_query(search: SearchRequest, counts: PassageCounts) -> Body:
    """Scores every passage by BM25 over its words as the English analyzer reads them; of one whose
    language has an analyzer of its own that is one half of the score, and what that one finds is the
    other. Where there is no such passage, English alone is searched.

    Nobody needs to know what the query is written in, and all passages compete by the statistics of
    the whole index. Those of one language are of fewer passages, in which every term looks less rare:
    the greatest weight of a term among n passages is about log(1 + n), so scores are scaled to
    that of the whole (docs/adr/0044).
    """
    others = {
        analyzer: present
        for analyzer, languages in languages_by_analyzer().items()
        if (
            present := {
                each: counts.by_language[each] for each in languages if each in counts.by_language
            }
        )
    }
    in_english = _words(search)
    if not others:
        return in_english
    halved = {
        "boosting": {
            "positive": in_english,
            "negative": {
                "terms": {"language": [each for some in others.values() for each in some]}
            },
            "negative_boost": _HALF,
        }
    }
    by_analyzer = [
        _words(
            search,
            f"{BY_ANALYZER}.{analyzer}.",
            boost=_HALF * log(1 + counts.total) / log(1 + sum(present.values())),
        )
        for analyzer, present in others.items()
    ]
    return {"bool": {"should": [halved, *by_analyzer], "minimum_should_match": 1}}


def _words(search: SearchRequest, prefix: str = "", *, boost: float = 1) -> Body:
    fields = [
        f"{prefix}text",
        f"{prefix}title^{search.title_boost}",
        f"{prefix}heading_path^{search.heading_boost}",
    ]
    return {"combined_fields": {"query": search.text, "fields": fields, "boost": boost}}
