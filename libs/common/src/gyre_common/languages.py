"""Languages of documents: how they are named, and which analyzer of Elasticsearch reads which."""

import re
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

UNDETERMINED = "und"
"""The tag of BCP 47 for a language that nobody could tell."""

LONGEST_TAG = 35

ANALYZERS: Mapping[str, str] = MappingProxyType(
    {
        "ar": "arabic",
        "bg": "bulgarian",
        "bn": "bengali",
        "ca": "catalan",
        "ckb": "sorani",
        "cs": "czech",
        "da": "danish",
        "de": "german",
        "el": "greek",
        "es": "spanish",
        "et": "estonian",
        "eu": "basque",
        "fa": "persian",
        "fi": "finnish",
        "fr": "french",
        "ga": "irish",
        "gl": "galician",
        "hi": "hindi",
        "hu": "hungarian",
        "hy": "armenian",
        "id": "indonesian",
        "it": "italian",
        "ja": "cjk",
        "ko": "cjk",
        "lt": "lithuanian",
        "lv": "latvian",
        "nb": "norwegian",
        "nl": "dutch",
        "nn": "norwegian",
        "no": "norwegian",
        "pt": "portuguese",
        "ro": "romanian",
        "ru": "russian",
        "sr": "serbian",
        "sv": "swedish",
        "tr": "turkish",
        "zh": "cjk",
    }
)
"""By language, the analyzer that reads it beside the English one, which reads every document.

Each comes with Elasticsearch itself. `thai` is missing, as not every Java runtime can cut Thai.
"""

# RFC 5646, section 2.1, as far as its first subtag goes; those of private use (x-…) name none.
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")


def languages_by_analyzer() -> Mapping[str, list[str]]:
    """The languages that each analyzer reads."""
    languages: dict[str, list[str]] = defaultdict(list)
    for language, analyzer in ANALYZERS.items():
        languages[analyzer].append(language)
    return languages


def primary_language(tag: str) -> str:
    """The language of a tag of BCP 47 without script and region: `de` of `de-AT`.

    Raises ValueError: it is no such tag.
    """
    match = _TAG.fullmatch(tag) if len(tag) <= LONGEST_TAG else None
    if match is None:
        raise ValueError("is no language tag of BCP 47")
    return match.group(1).lower()
