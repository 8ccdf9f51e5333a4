"""What the words on an interaction say of each passage that was shown, and how sure that is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from gyre_common.events.feedback import ANSWER_TARGET

from gyre_trainer.data_sets.joining import Family, InteractionWithFeedback, Opinion
from gyre_trainer.data_sets.reliability import Beliefs

WEAK = 0.5
"""So much a word on the answer says of a passage that it cites."""
PASSED_OVER = -0.25

PASSED_OVER_WHY = "passed_over"
CONTRADICTORY_WHY = "contradictory"
DOUBTFUL_WHY = "doubtful"
_OF_THE_ANSWER = ("cited_up", "cited_down")


@dataclass(frozen=True, slots=True)
class Label:
    """`value` lies in -1..1, None where nothing can be said; `actors` are those behind it."""

    value: float | None = None
    why: str = ""
    actors: frozenset[str] = frozenset()


UNKNOWN = Label()


def labels(example: InteractionWithFeedback, beliefs: Beliefs) -> Mapping[str, Label]:
    """A label for each passage shown, by chunk id.

    A vote on the passage itself beats everything. Otherwise a click counts as a yes to the passage,
    and a thumb or rating of the answer as a weak yes or no to the passages it cites. The label is
    the expectation of 1 for good and -1 for bad, by what is believed after all that was said; but
    words are only discounted, never turned round: what is more likely wrong is doubtful. Actors
    count alike; where they contradict each other evenly nothing can be said. A passage of which
    nobody who asked this said anything, shown above one that somebody liked, was passed over: a
    weak no (Joachims et al. 2005, doi:10.1145/1076034.1076063, "click > skip above").
    """
    labels_by_chunk = {
        shown.chunk_id: _weighed(
            _combined_label(example, shown.chunk_id), beliefs.of(example, shown.chunk_id)
        )
        for shown in example.interaction.shown
    }
    liked = [
        (shown.rank, label.actors)
        for shown in example.interaction.shown
        if (label := labels_by_chunk[shown.chunk_id]).why not in _OF_THE_ANSWER
        and (label.value or 0) > 0
    ]
    if not liked:
        return labels_by_chunk
    lowest = max(rank for rank, _ in liked)
    for shown in example.interaction.shown:
        without_opinion = (
            beliefs.of(example, shown.chunk_id) is None and not labels_by_chunk[shown.chunk_id].why
        )
        if shown.rank < lowest and without_opinion:
            who = frozenset().union(*(actors for rank, actors in liked if rank > shown.rank))
            labels_by_chunk[shown.chunk_id] = Label(PASSED_OVER, PASSED_OVER_WHY, who)
    return labels_by_chunk


def _weighed(label: Label, good: float | None) -> Label:
    if label.value is None:
        return label
    expected = label.value if good is None else round(2 * good - 1, 3)
    if expected * label.value <= 0:
        return Label(None, DOUBTFUL_WHY, label.actors)
    weak = WEAK if label.why in _OF_THE_ANSWER else 1.0
    return Label(weak * expected, label.why, label.actors)


def _combined_label(example: InteractionWithFeedback, chunk_id: str) -> Label:
    votes = [
        one for one in example.opinions if one.family is Family.VOTE and one.target == chunk_id
    ]
    if votes:
        return _mean(votes, {1: "vote_up", -1: "vote_down"})
    signals = [
        one for one in example.opinions if one.family is Family.SIGNAL and one.target == chunk_id
    ]
    cited = chunk_id in example.interaction.cited
    verdicts = [one for one in example.opinions if cited and one.target == ANSWER_TARGET]
    if signals:
        return _mean([*signals, *verdicts], {1: "click", -1: "cited_down"})
    return _mean(verdicts, {1: "cited_up", -1: "cited_down"}) if verdicts else UNKNOWN


def _mean(opinions: Iterable[Opinion], whys: Mapping[int, str]) -> Label:
    """Each actor's own mean first, so that nobody weighs more by saying more."""
    by_actor: dict[str, list[int]] = defaultdict(list)
    for opinion in opinions:
        by_actor[opinion.actor].append(opinion.sign)
    value = round(fmean(fmean(signs) for _, signs in sorted(by_actor.items())), 6)
    if value == 0:
        return Label(None, CONTRADICTORY_WHY, frozenset(by_actor))
    return Label(value, whys[1 if value > 0 else -1], frozenset(by_actor))
