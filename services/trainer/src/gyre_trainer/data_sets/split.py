"""Decides by content alone which questions train, which choose settings and which judge.

Both a cluster of near-identical questions and a document kept for the judging stay on one side.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gyre_trainer.data_sets.profiles import Profile

_LARGEST_SHARE = 0.2
_VALIDATION_SHARE = 0.05
_MARGIN = 1.5


class DataSetPart(StrEnum):
    """What a question is for: `fit` and `validation` are the train side."""

    FIT = "fit"
    VALIDATION = "validation"
    GATE = "gate"


@dataclass(frozen=True)
class QuestionOccurrence:
    """A question occurrence: its cluster, and the documents of which a passage is liked for it."""

    cluster: str
    documents: frozenset[str]


@dataclass(frozen=True)
class Place:
    """Where a question stands. `held_out`: none of its documents is liked on the side that learns.

    Of a gate question that side is fit and validation, of a validation question it is fit.
    `masked` documents are liked there too: what was said of them must be left out of the question.
    """

    part: DataSetPart
    held_out: bool = False
    masked: frozenset[str] = frozenset()


def split(occurrences: Sequence[QuestionOccurrence], profile: Profile) -> list[Place]:
    """A place for each question.

    The gate takes documents, in the order of their hashes, each with every cluster that likes it,
    until it has enough questions about documents that nobody else likes; then further clusters, of
    which some document is liked elsewhere. From what remains `validation` takes in the same way,
    but less. A cluster that likes nothing always fits.
    """
    sides = _Sides(occurrences)
    liked = sum(bool(one.documents) for one in occurrences)
    enough_to_decide = min(_MARGIN * profile.slice_questions, _LARGEST_SHARE * liked)
    enough = max(profile.slice_share * liked, enough_to_decide)
    places = _part(occurrences, sides, DataSetPart.GATE, enough)
    places |= _part(occurrences, sides, DataSetPart.VALIDATION, _VALIDATION_SHARE * liked)
    return [places.get(number, Place(DataSetPart.FIT)) for number in range(len(occurrences))]


def _part(
    occurrences: Sequence[QuestionOccurrence], sides: "_Sides", part: DataSetPart, enough: float
) -> dict[int, Place]:
    """The places of the questions that a part takes from the learning side."""
    exclusive = _exclusive_clusters(sides, part, enough)
    shared = _shared_clusters(sides, part, enough)
    places = {}
    for number, one in enumerate(occurrences):
        if one.cluster in exclusive | shared:
            masked = frozenset(filter(sides.is_liked, one.documents))
            if masked == one.documents or one.cluster in shared:
                places[number] = Place(part, bool(one.documents) and not masked)
            else:
                places[number] = Place(part, True, masked)
    return places


def _exclusive_clusters(sides: "_Sides", part: DataSetPart, enough: float) -> set[str]:
    """Clusters by documents, with which those documents leave the learning side altogether."""
    moved_clusters: set[str] = set()
    count = 0
    for document in _shuffled(sides.documents(), part):
        clusters = sides.learning_from(document)
        size = sides.size(clusters)
        if count + size <= _MARGIN * enough:
            sides.take(clusters)
            moved_clusters |= clusters
            count += size
        if count >= enough:
            break
    return moved_clusters


def _shared_clusters(sides: "_Sides", part: DataSetPart, enough: float) -> set[str]:
    """Clusters of which some document stays on the learning side with another one."""
    moved_clusters: set[str] = set()
    anchored: set[str] = set()
    count = 0
    for cluster in _shuffled(sides.learning(), part):
        anchors = sides.liked_elsewhere(cluster)
        if anchors and not sides.liked_here_alone(cluster) & anchored:
            sides.take({cluster})
            moved_clusters.add(cluster)
            anchored |= anchors
            count += sides.size({cluster})
        if count >= enough:
            break
    return moved_clusters


class _Sides:
    """Which clusters are still on the learning side, and which documents they like."""

    def __init__(self, occurrences: Sequence[QuestionOccurrence]) -> None:
        self._likes: dict[str, set[str]] = defaultdict(set)
        self._liked_by: dict[str, set[str]] = defaultdict(set)
        self._sizes = Counter(one.cluster for one in occurrences if one.documents)
        for one in occurrences:
            for document in one.documents:
                self._likes[one.cluster].add(document)
                self._liked_by[document].add(one.cluster)
        self._learning = set(self._likes)
        self._learners = Counter({name: len(who) for name, who in self._liked_by.items()})

    def documents(self) -> list[str]:
        """Those that are liked on the learning side."""
        return list(filter(self.is_liked, self._learners))

    def is_liked(self, document: str) -> bool:
        """Tell whether anybody on the learning side likes a document."""
        return self._learners[document] > 0

    def learning(self) -> list[str]:
        """The clusters on the learning side that like anything."""
        return list(self._learning)

    def learning_from(self, document: str) -> set[str]:
        """The clusters on the learning side that like a document."""
        return self._liked_by[document] & self._learning

    def size(self, clusters: Iterable[str]) -> int:
        """How many of their questions like anything."""
        return sum(self._sizes[cluster] for cluster in clusters)

    def take(self, clusters: set[str]) -> None:
        """Move clusters away from the learning side."""
        self._learning -= clusters
        for cluster in clusters:
            self._learners.subtract(self._likes[cluster])

    def liked_elsewhere(self, cluster: str) -> set[str]:
        """Its documents that another cluster on the learning side likes too."""
        return {document for document in self._likes[cluster] if self._learners[document] > 1}

    def liked_here_alone(self, cluster: str) -> set[str]:
        """Its documents that no other cluster on the learning side likes."""
        return {document for document in self._likes[cluster] if self._learners[document] == 1}


def _shuffled(names: Iterable[str], salt: str) -> list[str]:
    """In an order that has to do with nothing, and is always the same."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt}\n{name}".encode()).digest())
