"""Splits by content alone: near-identical questions, and a gate's documents, keep to one side."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from datasketch import MinHash, MinHashLSH
from gyre_common.lines import folded
from gyre_common.text import content_terms
from scipy.cluster.hierarchy import DisjointSet

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.data_sets.profiles import Profile

_LARGEST_SHARE = 0.2
_VALIDATION_SHARE = 0.05
_MARGIN = 1.5

SAME = 0.8
"""Jaccard similarity of the sets of content terms from which two questions are one."""

_BANDS, _ROWS = 25, 5
"""Of pairs at 0.8 this misses 5 in 100,000 (1 - (1 - 0.8^5)^25; Leskovec et al., Mining of Massive
Datasets, section 3.4), and many pairs below are found only to be turned down."""


def clusters(questions: Sequence[str]) -> list[str]:
    """A name for each question. Those share one whose words are the same but for case, white space
    and punctuation, or whose content terms overlap enough, directly or by way of others; in any
    order.
    """
    groups: dict[frozenset[str], set[str]] = defaultdict(set)
    for question in set(questions):
        # Where it has no content terms, its own words, marked so that they match no others.
        terms = frozenset(content_terms(question)) or frozenset({f"\n{folded(question)}"})
        groups[terms].add(question)
    keys = sorted(groups, key=sorted)
    alike = DisjointSet(keys)
    for one, two in _similar(keys):
        alike.merge(one, two)
    names: dict[str, str] = {}
    for subset in alike.subsets():
        members = [question for terms in subset for question in groups[terms]]
        name = hashlib.sha256(min(members).encode()).hexdigest()[:16]
        names |= dict.fromkeys(members, name)
    return [names[question] for question in questions]


def _similar(keys: Sequence[frozenset[str]]) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Pairs that overlap enough; exact, but for the pairs that hashing misses."""
    near = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    encoded = ([term.encode() for term in key] for key in keys)
    for number, sketch in enumerate(MinHash.generator(encoded, num_perm=_BANDS * _ROWS)):
        for other in near.query(sketch):
            one, two = keys[number], keys[other]
            if len(one & two) / len(one | two) >= SAME:
                yield one, two
        near.insert(number, sketch, check_duplication=False)


@dataclass(frozen=True)
class QuestionOccurrence:
    """A question occurrence: its cluster, and the documents of which a passage is liked for it."""

    cluster: str
    documents: frozenset[str]


@dataclass(frozen=True)
class Place:
    """Where a question stands; of a gate question the side that learns is fit and validation.
    `held_out`: none of its documents is liked on the side that learns. `masked` ones are: what was
    said of them must be left out.
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
    learning = _LearningSide(occurrences)
    liked = sum(bool(one.documents) for one in occurrences)
    enough_to_decide = min(_MARGIN * profile.slice_questions, _LARGEST_SHARE * liked)
    enough = max(profile.slice_share * liked, enough_to_decide)
    places = _part(occurrences, learning, DataSetPart.GATE, enough)
    places |= _part(occurrences, learning, DataSetPart.VALIDATION, _VALIDATION_SHARE * liked)
    return [places.get(number, Place(DataSetPart.FIT)) for number in range(len(occurrences))]


def _part(
    occurrences: Sequence[QuestionOccurrence],
    learning: "_LearningSide",
    part: DataSetPart,
    enough: float,
) -> dict[int, Place]:
    exclusive = _take_exclusive(learning, part, enough)
    shared = _take_shared(learning, part, enough)
    places = {}
    for number, one in enumerate(occurrences):
        if one.cluster in exclusive | shared:
            masked = frozenset(each for each in one.documents if learning.likers[each] > 0)
            if masked == one.documents or one.cluster in shared:
                places[number] = Place(part, bool(one.documents) and not masked)
            else:
                places[number] = Place(part, True, masked)
    return places


def _take_exclusive(learning: "_LearningSide", part: DataSetPart, enough: float) -> set[str]:
    """Clusters by documents, with which those documents leave the learning side altogether."""
    moved_clusters: set[str] = set()
    count = 0
    documents = [name for name, likers in learning.likers.items() if likers > 0]
    for document in _shuffled(documents, part):
        clusters = learning.liked_by[document] & learning.clusters
        size = sum(learning.sizes[cluster] for cluster in clusters)
        if count + size <= _MARGIN * enough:
            learning.lose(clusters)
            moved_clusters |= clusters
            count += size
        if count >= enough:
            break
    return moved_clusters


def _take_shared(learning: "_LearningSide", part: DataSetPart, enough: float) -> set[str]:
    """Clusters of which some document stays on the learning side with another one."""
    moved_clusters: set[str] = set()
    anchored: set[str] = set()
    count = 0
    for cluster in _shuffled(learning.clusters, part):
        anchors = {each for each in learning.likes[cluster] if learning.likers[each] > 1}
        liked_here_alone = learning.likes[cluster] - anchors
        if anchors and not liked_here_alone & anchored:
            learning.lose({cluster})
            moved_clusters.add(cluster)
            anchored |= anchors
            count += learning.sizes[cluster]
        if count >= enough:
            break
    return moved_clusters


class _LearningSide:
    """The `clusters` that still learn, and how many of them like each document."""

    def __init__(self, occurrences: Sequence[QuestionOccurrence]) -> None:
        self.likes: dict[str, set[str]] = defaultdict(set)
        self.liked_by: dict[str, set[str]] = defaultdict(set)
        self.sizes = Counter(one.cluster for one in occurrences if one.documents)
        for one in occurrences:
            for document in one.documents:
                self.likes[one.cluster].add(document)
                self.liked_by[document].add(one.cluster)
        self.clusters = set(self.likes)
        self.likers = Counter({name: len(who) for name, who in self.liked_by.items()})

    def lose(self, clusters: set[str]) -> None:
        """They do not learn any more."""
        self.clusters -= clusters
        for cluster in clusters:
            self.likers.subtract(self.likes[cluster])


def _shuffled(names: Iterable[str], salt: str) -> list[str]:
    """In an order that has to do with nothing, and is always the same."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt}\n{name}".encode()).digest())
