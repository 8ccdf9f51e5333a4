"""From a window of the streams to a frozen data set: the same window gives the same digest."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from gyre_common.events.event import EVERY_TENANT
from gyre_common.store import digest_of

from gyre_trainer.data_sets.card import Card, card_of, largest_actor_share
from gyre_trainer.data_sets.clusters import clusters
from gyre_trainer.data_sets.frozen import CARD, GATE, MANIFEST, TRAIN, FrozenDataSet
from gyre_trainer.data_sets.joining import InteractionWithFeedback, JoinCounts, Reason, join
from gyre_trainer.data_sets.labels import CONTRADICTORY_WHY, DOUBTFUL_WHY, Label, labels
from gyre_trainer.data_sets.profiles import Profile
from gyre_trainer.data_sets.refusals import (
    check_actors,
    check_both_sides,
    check_counts,
    check_there_is_something,
)
from gyre_trainer.data_sets.reliability import Beliefs, beliefs
from gyre_trainer.data_sets.rows import DataSetRow, canonical, document_of, lines, row_of
from gyre_trainer.data_sets.split import DataSetPart, QuestionOccurrence, split
from gyre_trainer.segments.facts import PartitionFacts
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import Window, validate_window

LabelsByOccurrence = dict[tuple[str, str], dict[str, Label]]
"""Labels by chunk id, by tenant and interaction."""


@dataclass
class JoinedExamples:
    """What a window holds for a tenant, joined; partitions are added one by one."""

    examples: list[InteractionWithFeedback] = field(default_factory=list)
    tally: JoinCounts = field(default_factory=JoinCounts)

    def add(self, facts: PartitionFacts) -> None:
        """Join one partition."""
        self.examples += join(facts, self.tally)


async def freeze(
    segments: Segments, *, tenant: str, profile: Profile, window: Window
) -> FrozenDataSet:
    """Freeze a window of what was collected; `*` takes every tenant's.

    Computes for seconds where there is much: not for a process that has calls to answer.

    Raises:
        FailedPrecondition: there is not enough to learn from, or the window is not collected;
            says what there is, what it takes, and what to do.
        InvalidInput: the window is malformed.
        Retryable, DamagedContentError: as `Segments` does.
    """
    window = validate_window(window)
    joined = JoinedExamples()
    async for facts in segments.facts(window, None if tenant == EVERY_TENANT else tenant):
        joined.add(facts)
    return freeze_joined(joined, window=window, tenant=tenant, profile=profile)


def freeze_joined(
    joined: JoinedExamples, *, window: Window, tenant: str, profile: Profile
) -> FrozenDataSet:
    """The data set of what was joined. Raises FailedPrecondition."""
    check_there_is_something(joined.tally, joined.examples, tenant)
    dropped = Counter(joined.tally.dropped)
    vote_beliefs = beliefs(joined.examples)
    examples, labels_by_occurrence = _label_examples(joined.examples, vote_beliefs, dropped)
    rows = _rows(examples, labels_by_occurrence, profile)
    share = largest_actor_share(rows, labels_by_occurrence)
    card = card_of(
        tenant=tenant,
        profile=profile,
        window=window,
        tally=replace(joined.tally, dropped=dropped),
        examples=joined.examples,
        rows=rows,
        most_of_one_actor=share,
        beliefs=vote_beliefs,
    )
    check_both_sides(card)
    check_actors(card, profile)
    check_counts(card, profile)
    return _pack(tenant, rows, card)


def _label_examples(
    examples: Iterable[InteractionWithFeedback], vote_beliefs: Beliefs, dropped: Counter[Reason]
) -> tuple[list[InteractionWithFeedback], LabelsByOccurrence]:
    """The examples of which anything can be said, in their canonical order, and their labels."""
    labelled: list[InteractionWithFeedback] = []
    labels_by_occurrence: LabelsByOccurrence = {}
    for example in sorted(examples, key=_order):
        passage_labels = dict(labels(example, vote_beliefs))
        whys = Counter(label.why for label in passage_labels.values())
        dropped[Reason.CONTRADICTORY] += whys[CONTRADICTORY_WHY]
        dropped[Reason.DOUBTFUL] += whys[DOUBTFUL_WHY]
        if not any(label.value for label in passage_labels.values()):
            dropped[Reason.NOTHING_CLEAR] += 1
        else:
            labelled.append(example)
            labels_by_occurrence[_place(example)] = passage_labels
    return labelled, labels_by_occurrence


def _order(example: InteractionWithFeedback) -> tuple[object, ...]:
    interaction = example.interaction
    return (interaction.completed_at, interaction.interaction_id, interaction.tenant)


def _place(example: InteractionWithFeedback) -> tuple[str, str]:
    return (example.interaction.tenant, example.interaction.interaction_id)


def _rows(
    examples: Sequence[InteractionWithFeedback],
    labels_by_occurrence: LabelsByOccurrence,
    profile: Profile,
) -> list[DataSetRow]:
    names = clusters([example.interaction.searched for example in examples])
    occurrences = []
    for example, cluster in zip(examples, names, strict=True):
        passage_labels = labels_by_occurrence[_place(example)]
        liked = {
            document_of(example, shown)
            for shown in example.interaction.shown
            if (passage_labels[shown.chunk_id].value or 0) > 0
        }
        occurrences.append(QuestionOccurrence(cluster, frozenset(liked)))
    places = split(occurrences, profile)
    return [
        row_of(example, labels_by_occurrence[_place(example)], cluster, place)
        for example, cluster, place in zip(examples, names, places, strict=True)
    ]


def _pack(tenant: str, rows: Sequence[DataSetRow], card: Card) -> FrozenDataSet:
    files = {
        TRAIN: lines(row for row in rows if row["part"] != DataSetPart.GATE),
        GATE: lines(row for row in rows if row["part"] == DataSetPart.GATE),
        CARD: canonical(card).encode(),
    }
    manifest = {
        "format": 2,
        "tenant": tenant,
        "profile": card["profile"],
        "window": card["window"],
        "builder": card["builder"],
        "files": {
            name: {"digest": digest_of(data), "size_bytes": len(data)}
            for name, data in files.items()
        },
    }
    files[MANIFEST] = canonical(manifest).encode()
    return FrozenDataSet(digest_of(files[MANIFEST]), tenant, card, files)
