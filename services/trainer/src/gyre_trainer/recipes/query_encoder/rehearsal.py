"""Texts of the corpus itself, to be rehearsed: what nobody asked about must keep its place."""

from collections.abc import Sequence

import numpy as np
from gyre_common.text import Kind, sentences

from gyre_trainer.recipes.query_encoder.inputs import CorpusPassage, EncodedCorpus
from gyre_trainer.recipes.query_encoder.targets import TrainingExample

_FEWEST_WORDS, _MOST_WORDS = 5, 40
_PROSE = frozenset({Kind.PROSE, Kind.ITEM})


def rehearsals(
    corpus: EncodedCorpus, *, count: int, own_share: float, seed: int
) -> list[TrainingExample]:
    """`count` texts, each a title or a sentence, of passages drawn without repeats while they last.

    `own_share` of a text's target is the passage that it was taken from.
    """
    random = np.random.default_rng([seed, 1])
    order: list[int] = []
    while len(order) < count:
        order += random.permutation(len(corpus.passages)).tolist()
    return [
        TrainingExample(
            text=_text_of(corpus.passages[position], random),
            target={position: own_share} if own_share else {},
        )
        for position in order[:count]
    ]


def _text_of(passage: CorpusPassage, random: np.random.Generator) -> str:
    """The title in a third of all cases, else a sentence; the beginning where there is neither."""
    choices = _sentences(passage.text)
    if passage.title and (not choices or random.random() < 1 / 3):
        return passage.title
    if choices:
        return choices[int(random.integers(len(choices)))]
    return " ".join(passage.text.split()[:_MOST_WORDS])


def _sentences(text: str) -> Sequence[str]:
    split_sentences = (each.text.split() for each in sentences(text) if each.kind in _PROSE)
    return [
        " ".join(words) for words in split_sentences if _FEWEST_WORDS <= len(words) <= _MOST_WORDS
    ]
