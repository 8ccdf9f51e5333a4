"""Splits answers so that no question, conversation or, if it can be, person is on two sides."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.cluster.hierarchy import DisjointSet

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.data_sets.profiles import Profile

_VALIDATION_SHARE = 0.1
_LARGEST = 0.5
"""Of what a part takes at most in one piece."""
_MARGIN = 1.5
"""Of what is wanted about documents of which nothing is learned, at most."""


@dataclass(frozen=True)
class AnswerOccurrence:
    """What ties an answer to others: its question's cluster, its conversation, and who asked and
    spoke. `documents` are those that it rests on.
    """

    cluster: str
    conversation: str
    actors: frozenset[str]
    documents: frozenset[str]


@dataclass(frozen=True)
class AnswerSplit:
    """The part of each answer. `apart` names what is never on two sides."""

    parts: Sequence[DataSetPart]
    apart: tuple[str, ...]


class TiedTo:
    """Whether an answer is tied to what is held out, by whatever the split keeps apart."""

    def __init__(self, held_out: Iterable[AnswerOccurrence], apart: Collection[str]) -> None:
        self._with_actors = "actor" in apart
        self._ties = {tie for one in held_out for tie in self._ties_of(one)}

    def __call__(self, one: AnswerOccurrence) -> bool:
        """Whether it must not teach."""
        return not self._ties.isdisjoint(self._ties_of(one))

    def _ties_of(self, one: AnswerOccurrence) -> set[tuple[str, str]]:
        actors = one.actors if self._with_actors else ()
        ties = {("question", one.cluster), ("conversation", one.conversation)}
        return ties | {("actor", actor) for actor in actors}


def split_answers(occurrences: Sequence[AnswerOccurrence], profile: Profile) -> AnswerSplit:
    """By content alone: the same answers, the same split.

    Answers that are tied form a piece, and whole pieces go to the gate in the order of hashes:
    first, for one half of it, by documents, each with all that rests on it, then any; then to
    validation. People who tie everything together, or so much that the gate has too few answers
    about documents of which nothing is learned, are not kept apart: then questions and
    conversations are, and the card says so.
    """
    by_person = _pieces(occurrences, actors=True)
    sizes = Counter(by_person)
    wanted = _gate_size(len(occurrences), profile)
    people_apart = _parts(occurrences, by_person, wanted)
    pieces = _pieces(occurrences, actors=False)
    parts = _parts(occurrences, pieces, wanted)
    enough = min(profile.slice_questions, _new(occurrences, parts))
    if (
        sizes
        and max(sizes.values()) <= max(1.0, _LARGEST * wanted)
        and _new(occurrences, people_apart) >= enough
    ):
        return AnswerSplit(people_apart, ("question", "conversation", "actor"))
    return AnswerSplit(parts, ("question", "conversation"))


def _gate_size(answers: int, profile: Profile) -> float:
    return max(2 * profile.slice_share * answers, min(profile.gate_questions, 0.4 * answers))


def _pieces(occurrences: Sequence[AnswerOccurrence], *, actors: bool) -> list[str]:
    """A name for each answer, the same for those that are tied, directly or by way of others."""
    ties = DisjointSet()
    for one in occurrences:
        nodes = [("question", one.cluster), ("conversation", one.conversation)]
        nodes += [("actor", actor) for actor in sorted(one.actors)] if actors else []
        for node in nodes:
            ties.add(node)
            ties.merge(nodes[0], node)
    members: dict[object, str] = {}
    for subset in ties.subsets():
        name = min("\n".join(node) for node in subset)
        members |= dict.fromkeys(subset, name)
    return [members["question", one.cluster] for one in occurrences]


def _parts(
    occurrences: Sequence[AnswerOccurrence], pieces: Sequence[str], wanted: float
) -> list[DataSetPart]:
    sizes = Counter(pieces)
    pieces_of: dict[str, set[str]] = defaultdict(set)
    documents_of: dict[str, set[str]] = defaultdict(set)
    for one, piece in zip(occurrences, pieces, strict=True):
        documents_of[piece] |= one.documents
        for document in one.documents:
            pieces_of[document].add(piece)
    gate = _take_documents(documents_of, pieces_of, sizes, wanted / 2)
    taken = sum(sizes[piece] for piece in gate)
    gate |= _take(sizes.keys() - gate, sizes, wanted - taken)
    validation = _take(sizes.keys() - gate, sizes, _VALIDATION_SHARE * len(occurrences))
    of_piece = dict.fromkeys(gate, DataSetPart.GATE)
    of_piece |= dict.fromkeys(validation, DataSetPart.VALIDATION)
    return [of_piece.get(piece, DataSetPart.FIT) for piece in pieces]


def _new(occurrences: Sequence[AnswerOccurrence], parts: Sequence[DataSetPart]) -> int:
    """How many questions of the gate rest on documents of which nothing is learned."""
    sides = list(zip(occurrences, parts, strict=True))
    learned = {
        each for one, part in sides if part is not DataSetPart.GATE for each in one.documents
    }
    gate = [one for one, part in sides if part is DataSetPart.GATE and one.documents]
    return len({one.cluster for one in gate if not one.documents & learned})


def _take_documents(
    documents_of: Mapping[str, set[str]],
    pieces_of: Mapping[str, set[str]],
    sizes: Counter[str],
    wanted: float,
) -> set[str]:
    """Pieces by documents, until so many answers rest on none that is left. A document of which
    most answers rest on others as well would cost more than it gives, and stays.
    """
    taken: set[str] = set()
    left = {document: len(pieces) for document, pieces in pieces_of.items()}
    count = new = 0
    for document in _by_hash(pieces_of):
        if new >= wanted:
            break
        more = pieces_of[document] - taken
        fewer = Counter(each for piece in more for each in documents_of[piece])
        gone = [each for each, pieces in fewer.items() if left[each] == pieces]
        freed = {
            piece
            for piece in set().union(*(pieces_of[each] for each in gone))
            if all(left[each] == fewer[each] for each in documents_of[piece])
        }
        cost, gain = (sum(sizes[piece] for piece in each) for each in (more, freed))
        if 0 < cost <= 2 * gain and count + cost <= max(1.0, _MARGIN * wanted):
            taken |= more
            left |= {each: left[each] - pieces for each, pieces in fewer.items()}
            count, new = count + cost, new + gain
    return taken


def _by_hash(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def _take(pieces: Iterable[str], sizes: Counter[str], wanted: float) -> set[str]:
    """Pieces until there are as many answers, none of them much too large."""
    taken: set[str] = set()
    count = 0
    for piece in _by_hash(pieces):
        if count >= wanted:
            break
        if sizes[piece] <= max(1.0, _LARGEST * wanted):
            taken.add(piece)
            count += sizes[piece]
    return taken
