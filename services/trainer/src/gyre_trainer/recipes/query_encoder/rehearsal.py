"""Texts of the corpus itself, to be rehearsed: what nobody asked about must keep its place."""

from collections.abc import Sequence

import numpy as np
from gyre_common.text import Kind, sentences

from gyre_trainer.recipes.query_encoder.inputs import Corpus, Passage
from gyre_trainer.recipes.query_encoder.targets import Example

_FEWEST_WORDS, _MOST_WORDS = 5, 40
_PROSE = frozenset({Kind.PROSE, Kind.ITEM})


def rehearsals(corpus: Corpus, *, count: int, own_share: float, seed: int) -> list[Example]:
    """`count` texts, each a title or a sentence, of passages drawn without repeats while they last.

    `own_share` of a text's target is the passage that it was taken from.
    """
    random = np.random.default_rng([seed, 1])
    order: list[int] = []
    while len(order) < count:
        order += random.permutation(len(corpus.passages)).tolist()
    return [
        Example(
            text=_text_of(corpus.passages[position], random),
            target={position: own_share} if own_share else {},
        )
        for position in order[:count]
    ]


def _text_of(passage: Passage, random: np.random.Generator) -> str:
    """The title in a third of all cases, else a sentence; the beginning where there is neither."""
    said = _sentences(passage.text)
    if passage.title and (not said or random.random() < 1 / 3):
        return passage.title
    if said:
        return said[int(random.integers(len(said)))]
    return " ".join(passage.text.split()[:_MOST_WORDS])


def _sentences(text: str) -> Sequence[str]:
    found = (each.text.split() for each in sentences(text) if each.kind in _PROSE)
    return [" ".join(words) for words in found if _FEWEST_WORDS <= len(words) <= _MOST_WORDS]
