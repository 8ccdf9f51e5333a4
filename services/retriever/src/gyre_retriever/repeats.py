"""Ranks what is there several times once: the same words, and versions of one text. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from gyre_common.chunk_index import IndexedChunk
from gyre_common.lines import folded
from gyre_common.near_duplicates import Wording, name_of

from gyre_retriever.ranking import RankedPassage, in_order

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def without_repeats(ranked: Sequence[RankedPassage], least: float) -> list[RankedPassage]:
    """Passages of `ranked`, best first, with those that are there several times ranked once, by the
    scores of the best of them.

    Passages repeat each other where their words are the same; or where they stand in different
    documents under the same title and headings, and are as near as `Wording.is_near` says. Of those
    under the best one's title and headings the newest document's is shown: under other ones the
    same words may be about something else.
    """
    repeats_by_text: dict[str, _Repeats] = {}
    repeats_by_place: dict[_Place, list[_Repeats]] = defaultdict(list)
    for each in ranked:
        place, text = _place_of(each.chunk), " ".join(each.chunk.text.split())
        known = repeats_by_text.get(text)
        if known is None and least < 1:
            known = _nearest(each, repeats_by_place[place], least)
        if known is None:
            known = _Repeats(each, place)
            repeats_by_place[place].append(known)
        repeats_by_text.setdefault(text, known).chunks.append(each.chunk)
    every = (known for of_place in repeats_by_place.values() for known in of_place)
    return in_order(known.shown() for known in every)


_Place = tuple[str, ...]
"""What its document is called, and the headings over a passage."""


@dataclass
class _Repeats:
    """Passages that are ranked once; `place` and `wording` are those of the best one."""

    best: RankedPassage
    place: _Place
    chunks: list[IndexedChunk] = field(default_factory=list)

    @cached_property
    def wording(self) -> Wording:
        return Wording(self.best.chunk.text)

    def shown(self) -> RankedPassage:
        """The newest of the same place; of equally new ones the better."""
        if len(self.chunks) == 1:
            return self.best
        same_place = [chunk for chunk in self.chunks if _place_of(chunk) == self.place]
        newest = max(same_place, key=lambda chunk: chunk.submitted_at or _LONG_AGO)
        others = tuple(chunk for chunk in self.chunks if chunk is not newest)
        return replace(self.best, chunk=newest, duplicates=others)


def _nearest(passage: RankedPassage, of_place: Sequence[_Repeats], least: float) -> _Repeats | None:
    """The best of those that the passage repeats. What one document says twice in other words, it
    means to say twice.
    """
    document_id = passage.chunk.document_id
    others = [
        known
        for known in of_place
        if all(chunk.document_id != document_id for chunk in known.chunks)
    ]
    if not others:
        return None
    wording = Wording(passage.chunk.text)
    return next((known for known in others if wording.is_near(known.wording, least)), None)


def _place_of(chunk: IndexedChunk) -> _Place:
    return (name_of(chunk.title, chunk.document_id), *map(folded, chunk.heading_path))
