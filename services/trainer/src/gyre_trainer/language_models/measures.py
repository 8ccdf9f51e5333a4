"""How near an answer is to what people wrote, and whether declining was right."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

from rouge_score.rouge_scorer import RougeScorer

from gyre_trainer.data_sets.answers import declines

_MARKERS = re.compile(r"\s?\[\d{1,3}(?:[,;] ?\d{1,3}){0,20}\]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Measured:
    """Of one answer. `score` is ROUGE-L where an answer is wanted, and otherwise 1 for declining;
    `is_right` tells whether it declined where it should and only there. All but `words` are within
    0 and 1.
    """

    score: float
    token_f1: float
    is_right: bool
    declined: bool
    words: int


def measured(answer: str, wanted: str) -> Measured:
    """`wanted` is what people wrote, or a text that declines. Marks of sources do not count."""
    answer = _MARKERS.sub("", answer).strip()
    declined, should_decline = declines(answer), declines(wanted)
    words = 0 if declined else len(_WORD.findall(answer))
    if declined or should_decline:
        right = declined and should_decline
        return Measured(float(right), float(right), declined == should_decline, declined, words)
    return Measured(rouge_l(answer, wanted), token_f1(answer, wanted), True, False, words)


def rouge_l(answer: str, wanted: str) -> float:
    """F1 of the longest common subsequence of stems (Lin 2004, aclanthology.org/W04-1013)."""
    return float(_scorer().score(wanted, answer)["rougeL"].fmeasure)


def token_f1(answer: str, wanted: str) -> float:
    """F1 of the words that both have (Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1)."""
    one, other = (Counter(_WORD.findall(text.casefold())) for text in (answer, wanted))
    common = (one & other).total()
    return 2 * common / (one.total() + other.total()) if common else 0.0


@cache
def _scorer() -> RougeScorer:
    return RougeScorer(["rougeL"], use_stemmer=True)
