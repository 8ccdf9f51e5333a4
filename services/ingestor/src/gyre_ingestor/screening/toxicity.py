"""Abuse in English: several of the words that hardly stand in anything else, close together.

The words are those of the largest weights in the linear model of alt-profanity-check 1.9 (MIT),
without those that medical and other factual texts use.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from gyre_ingestor.screening.words import Word

_WITHIN = 40


def abusive_places(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """From one such word to the next, where two stand within `_WITHIN` words: the numbers of the
    first one and of the word behind the second.
    """
    abusive = _abusive_words()
    before: int | None = None
    for number, word in enumerate(words):
        if word.text in abusive:
            if before is not None and number - before < _WITHIN:
                yield before, number + 1
            before = number


@cache
def _abusive_words() -> frozenset[str]:
    text = files("gyre_ingestor.screening").joinpath("abusive_words.txt").read_text()
    return frozenset(text.split())
