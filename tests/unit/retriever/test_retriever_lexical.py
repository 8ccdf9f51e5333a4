"""Which words are searched, by the analyzers of which languages."""

from typing import Any

import pytest
from gyre_retriever.lexical import PassageCounts, words_query
from gyre_retriever.ports import SearchRequest
from gyre_retriever.query import Filters

REQUEST = SearchRequest("chunks", "Haus", None, 10, "default", (), Filters(), title_boost=2)
ENGLISH: dict[str, Any] = {
    "query": "Haus",
    "fields": ["text", "title^2", "heading_path^1"],
    "boost": 1,
}


@pytest.mark.parametrize("by_language", [{}, {"en": 900}, {"en": 900, "und": 9, "th": 3}])
def test_without_other_languages_english_alone_is_searched(by_language: dict[str, int]) -> None:
    query = words_query(REQUEST, PassageCounts(999, by_language))
    assert query == {"combined_fields": ENGLISH}


def test_a_language_has_half_of_its_passages_score() -> None:
    counts = PassageCounts(1023, {"en": 989, "de": 31, "ja": 1, "ko": 2})
    query = words_query(REQUEST, counts)
    halved, german, cjk = query["bool"]["should"]
    assert halved["boosting"]["positive"] == {"combined_fields": ENGLISH}
    negative = halved["boosting"]["negative"]
    assert negative == {"terms": {"language": ["de", "ja", "ko", "zh"]}}
    assert german["combined_fields"]["fields"][:2] == [
        "by_analyzer.german.text",
        "by_analyzer.german.title^2",
    ]
    assert cjk["combined_fields"]["fields"][0] == "by_analyzer.cjk.text"
    weights = [each["combined_fields"]["boost"] for each in (german, cjk)]
    assert weights == pytest.approx([0.5 * 2**0.5, 0.5 * 5**0.5])
