"""From a window of the streams to a frozen data set: the same window gives the same digest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gyre_common.errors import FailedPrecondition
from gyre_common.redaction import redact

from gyre_trainer.data_sets.card import card_of, check_enough, check_there_is_something
from gyre_trainer.data_sets.frozen import (
    GATE,
    TRAIN,
    DataSetRow,
    FrozenDataSet,
    Reference,
    ShownRow,
    frozen_of,
    rfc3339,
)
from gyre_trainer.data_sets.joining import InteractionWithFeedback, Joined, Reason
from gyre_trainer.data_sets.labels import CONTRADICTORY_WHY, DOUBTFUL_WHY, Label, labels
from gyre_trainer.data_sets.profiles import Profile
from gyre_trainer.data_sets.reliability import beliefs
from gyre_trainer.data_sets.split import Place, QuestionOccurrence, clusters, split
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import Window, validate_window, window_from_text

SEEN_IN_TRAINING_WHY = "seen_in_training"

LabelledExample = tuple[InteractionWithFeedback, Mapping[str, Label]]
"""Labels are by chunk id."""


async def freeze(
    segments: Segments, *, tenant: str, profile: Profile, window: Window
) -> FrozenDataSet:
    """Freeze a window of what was collected; `*` takes every tenant's. Computes for seconds: not
    for a process that has calls to answer. Raises FailedPrecondition: there is too little to learn
    from, or the window is not collected; InvalidInput: it is malformed; the rest as `Segments`
    does.
    """
    window = validate_window(window)
    joined = Joined()
    async for facts in segments.facts(window, tenant):
        joined.add(facts)
    return freeze_joined(joined, window=window, tenant=tenant, profile=profile)


def freeze_joined(
    joined: Joined, *, window: Window, tenant: str, profile: Profile
) -> FrozenDataSet:
    """The data set of what was joined. Raises FailedPrecondition."""
    check_there_is_something(joined, tenant)
    joined = replace(joined, dropped=Counter(joined.dropped))
    vote_beliefs = beliefs(joined.examples)
    labelled: list[LabelledExample] = []
    for example in sorted(joined.examples, key=_order):
        passage_labels = labels(example, vote_beliefs)
        for label in passage_labels.values():
            joined.dropped[Reason.CONTRADICTORY] += label.why == CONTRADICTORY_WHY
            joined.dropped[Reason.DOUBTFUL] += label.why == DOUBTFUL_WHY
        if any(label.value for label in passage_labels.values()):
            labelled.append((example, passage_labels))
        else:
            joined.dropped[Reason.NOTHING_CLEAR] += 1
    rows = _rows(labelled, profile)
    card = card_of(
        tenant=tenant,
        profile=profile,
        window=window,
        joined=joined,
        rows=rows,
        labels=[each for _, each in labelled],
        beliefs=vote_beliefs,
    )
    check_enough(card, profile)
    return frozen_of(tenant, rows, card)


def _order(example: InteractionWithFeedback) -> tuple[object, ...]:
    interaction = example.interaction
    return (interaction.completed_at, interaction.interaction_id, interaction.tenant)


def _rows(labelled: Sequence[LabelledExample], profile: Profile) -> list[DataSetRow]:
    names = clusters([example.interaction.searched for example, _ in labelled])
    occurrences = []
    for (example, passage_labels), cluster in zip(labelled, names, strict=True):
        liked = {
            _document(example, shown.document_id)
            for shown in example.interaction.shown
            if (passage_labels[shown.chunk_id].value or 0) > 0
        }
        occurrences.append(QuestionOccurrence(cluster, frozenset(liked)))
    places = split(occurrences, profile)
    return [
        _row(example, passage_labels, cluster, place)
        for (example, passage_labels), cluster, place in zip(labelled, names, places, strict=True)
    ]


def _document(example: InteractionWithFeedback, document_id: str) -> str:
    """By a name that no other tenant's has."""
    return f"{example.interaction.tenant}/{document_id}"


def _row(
    example: InteractionWithFeedback, labels: Mapping[str, Label], cluster: str, place: Place
) -> DataSetRow:
    interaction = example.interaction
    shown_rows = []
    for shown in sorted(interaction.shown, key=lambda one: one.rank):
        label = labels[shown.chunk_id]
        if (label.value or 0) > 0 and _document(example, shown.document_id) in place.masked:
            label = Label(None, SEEN_IN_TRAINING_WHY, label.actors)
        row = ShownRow(
            chunk_id=shown.chunk_id,
            document_id=shown.document_id,
            rank=shown.rank,
            scores=dict(shown.scores),
            used=shown.used,
            cited=shown.chunk_id in interaction.cited,
            explored=shown.explored,
            propensity=shown.propensity,
            label=label.value,
            why=label.why,
            actors=len(label.actors),
        )
        shown_rows.append(row)
    return DataSetRow(
        question_id=interaction.interaction_id,
        tenant=interaction.tenant,
        acl=tuple(sorted(interaction.acl)),
        cluster=cluster,
        part=place.part,
        held_out=place.held_out,
        shown=tuple(shown_rows),
        versions=dict(interaction.versions),
        actors=tuple(sorted({opinion.actor for opinion in example.opinions})),
        at=rfc3339(interaction.completed_at),
    )


async def question_texts(frozen: FrozenDataSet, segments: Segments) -> Mapping[Reference, str]:
    """By reference. Raises FailedPrecondition when facts were forgotten or are too old."""
    references = {row.reference for row in frozen.rows(TRAIN, GATE)}
    texts: dict[Reference, str] = {}
    window = window_from_text(frozen.card["window"])
    async for facts in segments.interactions(window, frozen.tenant):
        for fact in facts:
            reference = (fact.tenant, fact.interaction_id)
            if reference in references:
                texts.setdefault(reference, redact(fact.searched, fact.tenant))
    missing = len(references - texts.keys())
    if missing:
        raise FailedPrecondition(
            f"data set {frozen.digest} refers to {missing:,} questions that were forgotten or are "
            "too old: start a new run, which freezes another"
        )
    return texts
