"""Splits answers so that no question, conversation or, if it can be, person is on two sides."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from scipy.cluster.hierarchy import DisjointSet

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.data_sets.profiles import Profile

_VALIDATION_SHARE = 0.1
_LARGEST = 0.5
"""Of what a part takes at most in one piece."""


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

    Answers that are tied form a piece, and whole pieces go to the gate in the order of their
    hashes: first, for one half of it, those whose documents no other piece has, then any; then to
    validation. People who tie everything together cannot be kept apart: then questions and
    conversations are, and the card says so.
    """
    by_person = _pieces(occurrences, actors=True)
    sizes = Counter(by_person)
    wanted = _gate_size(len(occurrences), profile)
    if sizes and max(sizes.values()) <= max(1.0, _LARGEST * wanted):
        names = ("question", "conversation", "actor")
        return AnswerSplit(_parts(occurrences, by_person, wanted), names)
    pieces = _pieces(occurrences, actors=False)
    return AnswerSplit(_parts(occurrences, pieces, wanted), ("question", "conversation"))


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
    alone = [
        piece
        for piece in sizes
        if documents_of[piece] and all(len(pieces_of[each]) == 1 for each in documents_of[piece])
    ]
    gate = _take(alone, sizes, wanted / 2)
    taken = sum(sizes[piece] for piece in gate)
    gate |= _take(sizes.keys() - gate, sizes, wanted - taken)
    validation = _take(sizes.keys() - gate, sizes, _VALIDATION_SHARE * len(occurrences))
    of_piece = dict.fromkeys(gate, DataSetPart.GATE)
    of_piece |= dict.fromkeys(validation, DataSetPart.VALIDATION)
    return [of_piece.get(piece, DataSetPart.FIT) for piece in pieces]


def _take(pieces: Iterable[str], sizes: Counter[str], wanted: float) -> set[str]:
    """Pieces until there are as many answers, none of them much too large."""
    taken: set[str] = set()
    count = 0
    for piece in sorted(pieces, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if count >= wanted:
            break
        if sizes[piece] <= max(1.0, _LARGEST * wanted):
            taken.add(piece)
            count += sizes[piece]
    return taken
