"""From a window of the streams to a frozen data set: the same window gives the same digest."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from gyre_common.events.event import EVERY_TENANT
from gyre_common.store import digest_of

from gyre_trainer.data_sets.card import Card, card_of, most_of_one
from gyre_trainer.data_sets.clusters import clusters
from gyre_trainer.data_sets.frozen import CARD, GATE, MANIFEST, TRAIN, Frozen
from gyre_trainer.data_sets.joining import Example, Reason, Tally, join
from gyre_trainer.data_sets.labels import CONTRADICTORY_WHY, DOUBTFUL_WHY, Label, labels
from gyre_trainer.data_sets.profiles import Profile
from gyre_trainer.data_sets.refusals import (
    check_actors,
    check_both_sides,
    check_counts,
    check_there_is_something,
)
from gyre_trainer.data_sets.reliability import Beliefs, beliefs
from gyre_trainer.data_sets.rows import Row, canonical, document_of, lines, row_of
from gyre_trainer.data_sets.split import Asked, Part, split
from gyre_trainer.segments.facts import PartitionFacts
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import Window, checked

Found = dict[tuple[str, str], dict[str, Label]]
"""Labels by chunk id, by tenant and interaction."""


@dataclass
class Joined:
    """What a window holds for a tenant, joined; partitions are added one by one."""

    examples: list[Example] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def add(self, facts: PartitionFacts) -> None:
        """Join one partition."""
        self.examples += join(facts, self.tally)


async def freeze(segments: Segments, *, tenant: str, profile: Profile, window: Window) -> Frozen:
    """Freeze a window of what was collected; `*` takes every tenant's.

    Computes for seconds where there is much: not for a process that has calls to answer.

    Raises:
        FailedPrecondition: there is not enough to learn from, or the window is not collected;
            says what there is, what it takes, and what to do.
        InvalidInput: the window is malformed.
        Retryable, DamagedContentError: as `Segments` does.
    """
    window = checked(window)
    joined = Joined()
    async for facts in segments.facts(window, None if tenant == EVERY_TENANT else tenant):
        joined.add(facts)
    return frozen(joined, window=window, tenant=tenant, profile=profile)


def frozen(joined: Joined, *, window: Window, tenant: str, profile: Profile) -> Frozen:
    """The data set of what was joined. Raises FailedPrecondition."""
    check_there_is_something(joined.tally, joined.examples, tenant)
    dropped = Counter(joined.tally.dropped)
    believed = beliefs(joined.examples)
    examples, found = _labelled(joined.examples, believed, dropped)
    rows = _rows(examples, found, profile)
    share = most_of_one(rows, found)
    card = card_of(
        tenant=tenant,
        profile=profile,
        window=window,
        tally=replace(joined.tally, dropped=dropped),
        examples=joined.examples,
        rows=rows,
        most_of_one_actor=share,
        believed=believed,
    )
    check_both_sides(card)
    check_actors(card, profile)
    check_counts(card, profile)
    return _packed(tenant, rows, card)


def _labelled(
    examples: Iterable[Example], believed: Beliefs, dropped: Counter[Reason]
) -> tuple[list[Example], Found]:
    """The examples of which anything can be said, in their canonical order, and their labels."""
    chosen: list[Example] = []
    found: Found = {}
    for example in sorted(examples, key=_order):
        of_this = dict(labels(example, believed))
        whys = Counter(label.why for label in of_this.values())
        dropped[Reason.CONTRADICTORY] += whys[CONTRADICTORY_WHY]
        dropped[Reason.DOUBTFUL] += whys[DOUBTFUL_WHY]
        if not any(label.value for label in of_this.values()):
            dropped[Reason.NOTHING_CLEAR] += 1
        else:
            chosen.append(example)
            found[_place(example)] = of_this
    return chosen, found


def _order(example: Example) -> tuple[object, ...]:
    interaction = example.interaction
    return (interaction.completed_at, interaction.interaction_id, interaction.tenant)


def _place(example: Example) -> tuple[str, str]:
    return (example.interaction.tenant, example.interaction.interaction_id)


def _rows(examples: Sequence[Example], found: Found, profile: Profile) -> list[Row]:
    names = clusters([example.interaction.searched for example in examples])
    asked = []
    for example, cluster in zip(examples, names, strict=True):
        of_this = found[_place(example)]
        liked = {
            document_of(example, shown)
            for shown in example.interaction.shown
            if (of_this[shown.chunk_id].value or 0) > 0
        }
        asked.append(Asked(cluster, frozenset(liked)))
    places = split(asked, profile)
    return [
        row_of(example, found[_place(example)], cluster, place)
        for example, cluster, place in zip(examples, names, places, strict=True)
    ]


def _packed(tenant: str, rows: Sequence[Row], card: Card) -> Frozen:
    files = {
        TRAIN: lines(row for row in rows if row["part"] != Part.GATE),
        GATE: lines(row for row in rows if row["part"] == Part.GATE),
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
    return Frozen(digest_of(files[MANIFEST]), tenant, card, files)
