"""Reading text without a model: sentences with their places, and terms that can be compared."""

from gyre_common.text.sentences import Kind, Sentence, prose_spans, sentences
from gyre_common.text.terms import STOP_WORDS, content_terms, numbers, stem, terms

__all__ = [
    "STOP_WORDS",
    "Kind",
    "Sentence",
    "content_terms",
    "numbers",
    "prose_spans",
    "sentences",
    "stem",
    "terms",
]
