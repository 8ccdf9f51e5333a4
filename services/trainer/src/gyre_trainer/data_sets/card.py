"""The data card: what a data set is made of, counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from gyre_trainer.data_sets.joining import InteractionWithFeedback, JoinCounts
from gyre_trainer.data_sets.labels import CONTRADICTORY_WHY, PASSED_OVER_WHY, Label
from gyre_trainer.data_sets.profiles import Profile
from gyre_trainer.data_sets.reliability import Beliefs
from gyre_trainer.data_sets.rows import DataSetRow, rfc3339
from gyre_trainer.data_sets.split import DataSetPart
from gyre_trainer.segments.window import Window, window_as_text

Card = dict[str, Any]
"""JSON; docs/guides/data-sets.md says how to read it."""

TRAIN_PARTS = (DataSetPart.FIT.value, DataSetPart.VALIDATION.value)


def card_of(
    *,
    tenant: str,
    profile: Profile,
    window: Window,
    tally: JoinCounts,
    examples: Sequence[InteractionWithFeedback],
    rows: Sequence[DataSetRow],
    most_of_one_actor: float,
    beliefs: Beliefs,
) -> Card:
    """Everything that is counted, and nothing that depends on when or where it was."""
    train = [row for row in rows if row["part"] in TRAIN_PARTS]
    gate = [row for row in rows if row["part"] == DataSetPart.GATE]
    return {
        "format": 2,
        "builder": f"gyre-trainer {version('gyre-trainer')}",
        "tenant": tenant,
        "profile": profile.name,
        "window": window_as_text(window),
        "minimum": {
            "train_questions": profile.train_questions,
            "gate_questions": profile.gate_questions,
            "slice_questions": profile.slice_questions,
            "most_of_one_actor": profile.most_of_one_actor,
        },
        "train_questions": len(train),
        "train_with_positive": sum(map(is_liked, train)),
        "gate_questions": sum(map(is_liked, gate)),
        "interactions": {
            "read": tally.interactions,
            "judged": tally.judged,
            "with_feedback": len(examples),
        },
        **_votes(examples),
        "actors": len({actor for row in rows for actor in row["actors"]}),
        "most_of_one_actor": round(most_of_one_actor, 6),
        "wrong_votes": {"share": beliefs.wrong, "votes_compared": beliefs.compared},
        "parts": {part.value: _part(rows, part) for part in DataSetPart},
        "clusters": _clusters(rows),
        "labels": dict(Counter(s["why"] for row in rows for s in row["shown"] if s["why"])),
        "labels_by_rank": _labels_by_rank(rows),
        "judged_by_rank": judged_by_rank(tally.shown_by_rank, tally.with_feedback_by_rank),
        "explored": _explored(rows),
        "dropped": {reason.value: n for reason, n in sorted(tally.dropped.items()) if n},
        "versions": _versions(rows),
    }


def is_liked(row: DataSetRow) -> bool:
    """Tell whether a passage is liked for the question, so that the gate can score it."""
    return any((shown["label"] or 0) > 0 for shown in row["shown"])


def largest_actor_share(
    rows: Iterable[DataSetRow], labels: Mapping[tuple[str, str], Mapping[str, Label]]
) -> float:
    """The greatest share of the train labels' weight that rests on one actor; 0 without labels."""
    weights: dict[str, float] = defaultdict(float)
    for row in rows:
        if row["part"] in TRAIN_PARTS:
            for label in labels[row["tenant"], row["question_id"]].values():
                for actor in sorted(label.actors):
                    weights[actor] += abs(label.value or 0) / len(label.actors)
    total = sum(weights.values())
    return max(weights.values()) / total if total else 0.0


def judged_by_rank(
    shown_by_rank: Mapping[int, int], with_feedback_by_rank: Mapping[int, int]
) -> dict[str, dict[str, float]]:
    """How often anybody said anything of a passage shown at a rank, of all interactions.

    `p` has half a count added on either side (Jeffreys), so that it is never nought or one. A
    passage that was passed over counts as not judged; one whose words are contradictory or doubtful
    was judged.
    """
    return {
        str(rank): {
            "shown": shown,
            "judged": with_feedback_by_rank.get(rank, 0),
            "p": round((with_feedback_by_rank.get(rank, 0) + 0.5) / (shown + 1), 6),
        }
        for rank, shown in sorted(shown_by_rank.items())
    }


def _votes(examples: Iterable[InteractionWithFeedback]) -> Card:
    opinions = [opinion for example in examples for opinion in example.opinions]
    moments = [opinion.at for opinion in opinions]
    return {
        "votes": len(opinions),
        "votes_by_kind": dict(Counter(f"{opinion.kind} {opinion.value}" for opinion in opinions)),
        "first_vote_at": _when(min(moments, default=None)),
        "last_vote_at": _when(max(moments, default=None)),
    }


def _when(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def _part(rows: Iterable[DataSetRow], part: DataSetPart) -> Card:
    part_rows = [row for row in rows if row["part"] == part]
    shown = [one for row in part_rows for one in row["shown"]]
    liked = [row for row in part_rows if is_liked(row)]
    return {
        "questions": len(part_rows),
        "with_positive": len(liked),
        "held_out": sum(row["held_out"] for row in liked),
        "voted": sum(not row["held_out"] for row in liked),
        "clusters": len({row["cluster"] for row in part_rows}),
        "positives": sum((one["label"] or 0) > 0 for one in shown),
        "negatives": sum((one["label"] or 0) < 0 for one in shown),
        "passed_over": sum(one["why"] == PASSED_OVER_WHY for one in shown),
        "contradictory": sum(one["why"] == CONTRADICTORY_WHY for one in shown),
        "documents_liked": len(
            {
                (row["tenant"], one["document_id"])
                for row in part_rows
                for one in row["shown"]
                if (one["label"] or 0) > 0
            }
        ),
    }


def _clusters(rows: Iterable[DataSetRow]) -> Card:
    sizes = Counter(row["cluster"] for row in rows)
    return {"total": len(sizes), "largest": max(sizes.values(), default=0)}


def _labels_by_rank(rows: Iterable[DataSetRow]) -> Card:
    counts_by_rank: dict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for shown in row["shown"]:
            if shown["why"]:
                counts_by_rank[shown["rank"]][shown["why"]] += 1
    return {str(rank): dict(counts) for rank, counts in sorted(counts_by_rank.items())}


def _explored(rows: Iterable[DataSetRow]) -> Card:
    explored = [one for row in rows for one in row["shown"] if one["explored"]]
    return {
        "shown": len(explored),
        "labelled": sum(one["label"] is not None for one in explored),
        "positive": sum((one["label"] or 0) > 0 for one in explored),
    }


def _versions(rows: Iterable[DataSetRow]) -> Card:
    counts_by_role: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for role, name in row["versions"].items():
            counts_by_role[role][name] += 1
    return {role: dict(counts) for role, counts in sorted(counts_by_role.items())}
