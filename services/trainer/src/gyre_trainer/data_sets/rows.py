"""A line of a data set: a reference to a question, and what is known of what it showed."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict

from gyre_trainer.data_sets.joining import InteractionWithFeedback
from gyre_trainer.data_sets.labels import Label
from gyre_trainer.data_sets.split import Place
from gyre_trainer.segments.facts import Shown

SEEN_IN_TRAINING_WHY = "seen_in_training"


class ShownRow(TypedDict):
    """A passage that was shown, in the order of ranks.

    `label` is in -1..1, null where nothing is known; `why` says what it rests on and `actors` how
    many people.
    """

    chunk_id: str
    document_id: str
    rank: int
    scores: dict[str, float]
    used: bool
    cited: bool
    explored: bool
    propensity: float
    label: float | None
    why: str
    actors: int


class DataSetRow(TypedDict):
    """See docs/guides/data-sets.md. The question's text is that of the fact which `tenant` and
    `question_id` name; `actors` are digests of who spoke; `at` is RFC 3339 in UTC.
    """

    question_id: str
    tenant: str
    acl: list[str]
    cluster: str
    part: str
    held_out: bool
    shown: list[ShownRow]
    versions: dict[str, str]
    actors: list[str]
    at: str


def row_of(
    example: InteractionWithFeedback, labels: dict[str, Label], cluster: str, place: Place
) -> DataSetRow:
    """The line of an example."""
    interaction = example.interaction
    return {
        "question_id": interaction.interaction_id,
        "tenant": interaction.tenant,
        "acl": sorted(interaction.acl),
        "cluster": cluster,
        "part": place.part.value,
        "held_out": place.held_out,
        "shown": _shown(example, labels, place.masked),
        "versions": dict(interaction.versions),
        "actors": sorted({opinion.actor for opinion in example.opinions}),
        "at": rfc3339(interaction.completed_at),
    }


def document_of(example: InteractionWithFeedback, shown: Shown) -> str:
    """A document by a name that no other tenant's has."""
    return f"{example.interaction.tenant}/{shown.document_id}"


def _shown(
    example: InteractionWithFeedback, labels: dict[str, Label], masked: frozenset[str]
) -> list[ShownRow]:
    rows: list[ShownRow] = []
    for shown in sorted(example.interaction.shown, key=lambda one: one.rank):
        label = labels[shown.chunk_id]
        if (label.value or 0) > 0 and document_of(example, shown) in masked:
            label = Label(None, SEEN_IN_TRAINING_WHY, label.actors)
        rows.append(
            {
                "chunk_id": shown.chunk_id,
                "document_id": shown.document_id,
                "rank": shown.rank,
                "scores": dict(shown.scores),
                "used": shown.used,
                "cited": shown.chunk_id in example.interaction.cited,
                "explored": shown.explored,
                "propensity": shown.propensity,
                "label": label.value,
                "why": label.why,
                "actors": len(label.actors),
            }
        )
    return rows


def rfc3339(moment: datetime) -> str:
    """In UTC, to the microsecond, always of the same length."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(value: Any) -> str:
    """The one way to write a value as JSON: sorted keys, no spaces, no escapes but needed ones."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def lines(rows: Iterable[DataSetRow]) -> bytes:
    """Rows as canonical JSON lines."""
    return "".join(f"{canonical(row)}\n" for row in rows).encode()


def read_lines(data: bytes) -> list[DataSetRow]:
    """The way back."""
    return [json.loads(line) for line in data.splitlines()]
