"""What the words on an interaction say of each passage that was shown, and how sure that is."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from gyre_common.events.feedback import ANSWER_TARGET

from gyre_trainer.data_sets.joining import Family, InteractionWithFeedback
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
    shown = example.interaction.shown
    labels_by_chunk = {one.chunk_id: _label(example, one.chunk_id, beliefs) for one in shown}
    liked = [
        (one.rank, label.actors)
        for one in shown
        if (label := labels_by_chunk[one.chunk_id]).why not in _OF_THE_ANSWER
        and (label.value or 0) > 0
    ]
    for one in shown:
        below = [actors for rank, actors in liked if rank > one.rank]
        spoken_of = beliefs.of(example, one.chunk_id) is not None
        if below and not spoken_of and labels_by_chunk[one.chunk_id] == UNKNOWN:
            who = frozenset().union(*below)
            labels_by_chunk[one.chunk_id] = Label(PASSED_OVER, PASSED_OVER_WHY, who)
    return labels_by_chunk


def _label(example: InteractionWithFeedback, chunk_id: str, beliefs: Beliefs) -> Label:
    """By the words of this interaction alone, weighed by what is believed."""
    on_passage = [one for one in example.opinions if one.target == chunk_id]
    votes = [one for one in on_passage if one.family is Family.VOTE]
    signals = [one for one in on_passage if one.family is Family.SIGNAL]
    cited = chunk_id in example.interaction.cited
    verdicts = [one for one in example.opinions if cited and one.target == ANSWER_TARGET]
    words, why_good, why_bad = votes, "vote_up", "vote_down"
    if not votes:
        words, why_good, why_bad = [*signals, *verdicts], "cited_up", "cited_down"
        if signals:
            why_good = "click"
    if not words:
        return UNKNOWN
    by_actor: dict[str, list[int]] = defaultdict(list)
    for opinion in words:
        by_actor[opinion.actor].append(opinion.sign)
    # Each actor's own mean first, so that nobody weighs more by saying more.
    value = round(fmean(fmean(signs) for _, signs in sorted(by_actor.items())), 6)
    actors = frozenset(by_actor)
    if value == 0:
        return Label(None, CONTRADICTORY_WHY, actors)
    good = beliefs.of(example, chunk_id)
    expected = value if good is None else round(2 * good - 1, 3)
    if expected * value <= 0:
        return Label(None, DOUBTFUL_WHY, actors)
    why = why_good if value > 0 else why_bad
    return Label((WEAK if why in _OF_THE_ANSWER else 1.0) * expected, why, actors)
