"""How near an answer is to what people wrote, and whether declining was right."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from gyre_common.text import Kind, content_terms, sentences
from rouge_score.rouge_scorer import RougeScorer

from gyre_trainer.data_sets.answers import declines
from gyre_trainer.data_sets.question_context import PassageRead, VersionAnswer

_MARKERS = re.compile(r"\s?\[\d{1,3}(?:[,;] ?\d{1,3}){0,20}\]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Measured:
    """Of one answer. `score` is ROUGE-L where an answer is wanted, and otherwise 1 for declining;
    `is_right` tells whether it declined where it should and only there. `grounded` is the share of
    its sentences that rest on a passage; None for one that declines. `well_cited` is the share of
    its sources that are right; None where there is none, or nothing to hold them against. All but
    `words` are within 0 and 1.
    """

    score: float
    token_f1: float
    is_right: bool
    declined: bool
    words: int
    grounded: float | None = None
    well_cited: float | None = None


def measured(answer: VersionAnswer, wanted: str, read: Sequence[PassageRead] = ()) -> Measured:
    """`wanted` is what people wrote, or a text that declines; `read` are the passages that it was
    made from. Marks of sources do not count.
    """
    text = _MARKERS.sub("", answer.text).strip()
    declined, should_decline = declines(text), declines(wanted)
    if declined or should_decline:
        right = declined and should_decline
        score, f1, is_right = float(right), float(right), declined == should_decline
    else:
        score, f1, is_right = rouge_l(text, wanted), token_f1(text, wanted), True
    words = 0 if declined else len(_WORD.findall(text))
    return Measured(
        score,
        f1,
        is_right,
        declined,
        words,
        None if declined else grounded(answer),
        None if declined or should_decline else citation_precision(answer, wanted, read),
    )


def grounded(answer: VersionAnswer) -> float:
    """The share of the sentences that say something of which a part rests on a passage; 0 where
    there are none.
    """
    claims = [
        each
        for each in sentences(answer.text)
        if each.kind is not Kind.HEADING and content_terms(each.text)
    ]
    resting = sum(
        any(start < each.end and each.start < end for start, end in answer.cited) for each in claims
    )
    return resting / len(claims) if claims else 0.0


def citation_precision(
    answer: VersionAnswer, wanted: str, read: Sequence[PassageRead]
) -> float | None:
    """The share of the sources that what people wrote rests on too: of each of its sentences, the
    passages that have most of its terms. None where nothing is cited, or they wrote in words that
    stand nowhere.
    """
    terms = {
        each.chunk_id: frozenset(content_terms(f"{each.heading} {each.text}")) for each in read
    }
    right: set[str] = set()
    for each in sentences(wanted):
        wanted_terms = content_terms(each.text)
        held = {name: len(own.intersection(wanted_terms)) for name, own in terms.items()}
        most = max(held.values(), default=0)
        right |= {name for name, count in held.items() if count == most > 0}
    if not right or not answer.sources:
        return None
    return sum(name in right for name in answer.sources) / len(answer.sources)


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
