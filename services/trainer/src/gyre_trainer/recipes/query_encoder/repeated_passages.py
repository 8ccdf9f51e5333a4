"""Passages that say what another one says: who likes one of them does not dislike the others."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

from gyre_common.lines import folded
from gyre_common.near_duplicates import Wording
from gyre_common.retrieval_settings import NEAR_DUPLICATES

from gyre_trainer.recipes.query_encoder.inputs import CorpusPassage


class Repeats:
    """Which passages of a corpus repeat each other: the same words, or nearly the same under one
    title, as retrieval ranks them once.
    """

    def __init__(self, passages: Sequence[CorpusPassage]) -> None:
        self._passages = passages
        self._by_text: dict[str, list[int]] = defaultdict(list)
        self._by_title: dict[str, list[int]] = defaultdict(list)
        for position, passage in enumerate(passages):
            self._by_text[" ".join(passage.text.split())].append(position)
            if passage.title:
                self._by_title[folded(passage.title)].append(position)
        self._wording = cache(lambda position: Wording(passages[position].text))
        self.of = cache(self._of)

    def _of(self, position: int) -> frozenset[int]:
        """The positions of the others."""
        passage = self._passages[position]
        same_title = self._by_title.get(folded(passage.title), ())
        near = {
            other
            for other in same_title
            if self._wording(other).is_near(self._wording(position), NEAR_DUPLICATES)
        }
        return frozenset(near.union(self._by_text[" ".join(passage.text.split())]) - {position})
