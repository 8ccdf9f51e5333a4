"""Turns text into terms that can be compared: folded, without possessives, stemmed."""

import re
import threading
from functools import lru_cache

import snowballstemmer

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


def terms(text: str) -> list[str]:
    """Every term in reading order, function words included."""
    return [stem(word) for word in _TERM.findall(text)]


def content_terms(text: str) -> list[str]:
    """The terms that carry the meaning, in reading order."""
    return [stem(word) for word in _TERM.findall(text) if word.casefold() not in STOP_WORDS]


def numbers(text: str) -> frozenset[str]:
    """The numbers a text names, as digits without separators of thousands."""
    numbers = {number.replace(",", "") for number in _NUMBER.findall(text)}
    words = {_NUMBER_WORDS[t] for t in re.findall(r"[a-z]+", text.lower()) if t in _NUMBER_WORDS}
    return frozenset(numbers | words)
