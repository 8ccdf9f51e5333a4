"""The data card, and checks that raise FailedPrecondition: what there is, and what it takes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TypeVar

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT

from gyre_trainer.data_sets.frozen import Card, DataSetPart, DataSetRow, rfc3339
from gyre_trainer.data_sets.joining import Family, Joined
from gyre_trainer.data_sets.labels import CONTRADICTORY_WHY, PASSED_OVER_WHY, Label
from gyre_trainer.data_sets.profiles import PROFILES, Profile, check_actors, way_out
from gyre_trainer.data_sets.reliability import Beliefs
from gyre_trainer.segments.window import Window, window_as_text


def card_of(
    *,
    tenant: str,
    profile: Profile,
    window: Window,
    joined: Joined,
    rows: Sequence[DataSetRow],
    labels: Sequence[Mapping[str, Label]],
    beliefs: Beliefs,
) -> Card:
    """All counts, the same whenever it is made; `labels` are those of each row, by chunk id."""
    train = [row for row in rows if row.part != DataSetPart.GATE]
    gate = [row for row in rows if row.part == DataSetPart.GATE]
    opinions = [opinion for example in joined.examples for opinion in example.opinions]
    votes = [opinion for opinion in opinions if opinion.family is not Family.SIGNAL]
    moments = sorted(vote.at for vote in votes)
    cluster_sizes = Counter(row.cluster for row in rows)
    shown = [one for row in rows for one in row.shown]
    explored = [one for one in shown if one.explored]
    versions = ((role, name) for row in rows for role, name in row.versions.items())
    whys = ((one.rank, one.why) for one in shown if one.why)
    return {
        "format": 3,
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
        "train_with_positive": sum(row.is_liked for row in train),
        "gate_questions": sum(row.is_liked for row in gate),
        "interactions": {
            "read": joined.interactions,
            "judged": joined.judged,
            "with_feedback": len(joined.examples),
        },
        "votes": len(votes),
        "signals": len(opinions) - len(votes),
        "words_by_kind": dict(Counter(f"{opinion.kind} {opinion.value}" for opinion in opinions)),
        "first_vote_at": rfc3339(moments[0]) if moments else None,
        "last_vote_at": rfc3339(moments[-1]) if moments else None,
        "actors": len({actor for row in rows for actor in row.actors}),
        "most_of_one_actor": round(_largest_actor_share(rows, labels), 6),
        "wrong_votes": {"share": beliefs.wrong, "votes_compared": beliefs.compared},
        "parts": {
            part.value: _part([row for row in rows if row.part == part]) for part in DataSetPart
        },
        "clusters": {
            "total": len(cluster_sizes),
            "largest": max(cluster_sizes.values(), default=0),
        },
        "labels": dict(Counter(one.why for one in shown if one.why)),
        "labels_by_rank": {str(rank): counts for rank, counts in _counted(whys).items()},
        "judged_by_rank": _judged_by_rank(joined.shown_by_rank, joined.with_feedback_by_rank),
        "explored": {
            "shown": len(explored),
            "labelled": sum(one.label is not None for one in explored),
            "positive": sum(one.is_liked for one in explored),
        },
        "dropped": {reason.value: n for reason, n in sorted(joined.dropped.items()) if n},
        "versions": _counted(versions),
    }


def _largest_actor_share(
    rows: Sequence[DataSetRow], labels: Sequence[Mapping[str, Label]]
) -> float:
    weights: dict[str, float] = defaultdict(float)
    for row, labels_of_row in zip(rows, labels, strict=True):
        if row.part != DataSetPart.GATE:
            for label in labels_of_row.values():
                for actor in sorted(label.actors):
                    weights[actor] += abs(label.value or 0) / len(label.actors)
    total = sum(weights.values())
    return max(weights.values()) / total if total else 0.0


def _judged_by_rank(
    shown_by_rank: Mapping[int, int], with_feedback_by_rank: Mapping[int, int]
) -> dict[str, dict[str, float]]:
    """Shown, spoken of, and `p`, which has half a count on either side (Jeffreys)."""
    by_rank = {}
    for rank, shown in sorted(shown_by_rank.items()):
        judged = with_feedback_by_rank.get(rank, 0)
        p = round((judged + 0.5) / (shown + 1), 6)
        by_rank[str(rank)] = {"shown": shown, "judged": judged, "p": p}
    return by_rank


def _part(rows: Sequence[DataSetRow]) -> Card:
    shown = [one for row in rows for one in row.shown]
    liked = [row for row in rows if row.is_liked]
    documents = {
        (row.tenant, one.document_id) for row in liked for one in row.shown if one.is_liked
    }
    return {
        "questions": len(rows),
        "with_positive": len(liked),
        "held_out": sum(row.held_out for row in liked),
        "voted": sum(not row.held_out for row in liked),
        "clusters": len({row.cluster for row in rows}),
        "positives": sum(one.is_liked for one in shown),
        "negatives": sum((one.label or 0) < 0 for one in shown),
        "passed_over": sum(one.why == PASSED_OVER_WHY for one in shown),
        "contradictory": sum(one.why == CONTRADICTORY_WHY for one in shown),
        "documents_liked": len(documents),
    }


K = TypeVar("K", int, str)


def _counted(pairs: Iterable[tuple[K, str]]) -> dict[K, dict[str, int]]:
    counts: dict[K, Counter[str]] = defaultdict(Counter)
    for first, second in pairs:
        counts[first][second] += 1
    return {first: dict(counts[first]) for first in sorted(counts)}


def check_there_is_something(joined: Joined, tenant: str) -> None:
    """An empty window, or one in which nobody voted."""
    whose = "any tenant" if tenant == EVERY_TENANT else f"tenant {tenant}"
    if not joined.interactions and not sum(joined.dropped.values()):
        raise FailedPrecondition(
            f"the window is empty: no question of {whose} has been collected in it; ask with "
            "`gyre ask`, vote with `gyre vote`, then try again"
        )
    if not joined.examples:
        raise FailedPrecondition(
            f"the window holds {joined.interactions:,} questions of {whose}, but no vote on what "
            "they showed: vote on passages or answers with `gyre vote`, then try again"
        )


def check_enough(card: Card, profile: Profile) -> None:
    """Votes that all say the same or nothing, that are too much one actor's, or too few."""
    positives = sum(part["positives"] for part in card["parts"].values())
    negatives = sum(part["negatives"] for part in card["parts"].values())
    if not positives and not negatives:
        raise FailedPrecondition(
            f"the {card['votes']:,} votes in the window say nothing clear of any passage: "
            "they contradict each other, or are on answers that cite nothing; collect more"
        )
    if not positives or not negatives:
        present, absent = ("for", "against") if positives else ("against", "for")
        raise FailedPrecondition(
            f"the votes are one-sided: all {positives or negatives:,} labels are {present} what "
            f"was shown, none is {absent}, so nothing tells better from worse; collect votes both "
            "up and down, on passages of all ranks"
        )
    check_actors(profile, what="votes", share=card["most_of_one_actor"], actors=card["actors"])
    train, gate = card["train_questions"], card["gate_questions"]
    if train < profile.train_questions or gate < profile.gate_questions:
        raise FailedPrecondition(
            f"too few votes: {train:,} questions to train on ({card['train_with_positive']:,} of "
            f"them with a passage that somebody liked: only those teach) and {gate:,} to judge by, "
            f"but profile {profile.name} needs {profile.train_questions:,} and "
            f"{profile.gate_questions:,}; collect more votes{way_out(profile, PROFILES['demo'])}"
        )
