"""Ranks what is there several times once: the same words, and versions of one text. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

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
            known = _Repeats(each, place, Wording(each.chunk.text))
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
    wording: Wording
    chunks: list[IndexedChunk] = field(default_factory=list)

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
    wording = Wording(passage.chunk.text)
    for known in of_place:
        is_other = all(one.document_id != passage.chunk.document_id for one in known.chunks)
        if is_other and wording.is_near(known.wording, least):
            return known
    return None


def _place_of(chunk: IndexedChunk) -> _Place:
    return (name_of(chunk.title, chunk.document_id), *map(folded, chunk.heading_path))
