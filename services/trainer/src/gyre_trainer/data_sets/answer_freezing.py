"""From a window of the streams to a frozen data set of answers, with its card."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from types import MappingProxyType

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT

from gyre_trainer.data_sets.answer_joining import (
    AnswerExample,
    AnswersJoined,
    NotLearned,
    Wanted,
    trust,
)
from gyre_trainer.data_sets.answer_split import (
    AnswerOccurrence,
    AnswerSplit,
    TiedTo,
    split_answers,
)
from gyre_trainer.data_sets.answers import KIND, AnswerKind, AnswerRow, AnswersKind
from gyre_trainer.data_sets.frozen import (
    Card,
    DataSetPart,
    FrozenDataSet,
    ShownRow,
    frozen_of,
    rfc3339,
)
from gyre_trainer.data_sets.joining import Joined, actor_digest
from gyre_trainer.data_sets.profiles import Profile, check_actors, way_out
from gyre_trainer.data_sets.reliability import beliefs
from gyre_trainer.data_sets.split import clusters
from gyre_trainer.segments.facts import FeedbackFact
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import Window, validate_window, window_as_text

PROFILES = MappingProxyType(
    {
        "default": Profile("default", 150, 60, 25, 0.5, 0.15),
        "demo": Profile("demo", 30, 15, 5, 1.0, 0.15),
    }
)
"""Of answers there are fewer than of votes, and each says more."""

_MOST_WRONG = 0.45


async def freeze_answers(
    segments: Segments,
    *,
    tenant: str,
    profile: str,
    window: Window,
    wanted: Wanted,
    liked_weight: float,
    teacher_weight: float = 0.0,
) -> FrozenDataSet:
    """Freeze a window of what was collected; the same window gives the same digest. An answer of a
    teacher, for which rows without a text are made, counts `teacher_weight`. Raises
    FailedPrecondition: there is too little to learn from, or the window is not collected.
    """
    window = validate_window(window)
    joined, wrong = await join_answers(segments, tenant, window, wanted)
    profile_of, unanswered = PROFILES[profile], joined.unanswered()
    everything = joined.examples()
    find = Occurrences([*everything, *unanswered])
    golden = Golden(everything, find)
    joined.dropped[NotLearned.HELD_OUT] += golden.lost
    examples = golden.others
    check_there_is_something(joined, examples, tenant)
    occurrences = [find(example) for example in examples]
    split = split_answers(occurrences, profile_of)
    parts = list(zip(examples, occurrences, split.parts, strict=True))
    tied = TiedTo((one for _, one, part in parts if part is DataSetPart.GATE), split.apart)
    for_teacher = [
        row_of(example, find(example), DataSetPart.FIT, teacher_weight, held_out=False)
        for example in unanswered
        if not tied(find(example)) and not golden.tied(find(example))
    ]
    taught = {(row.tenant, document) for row in for_teacher for document in row.documents}
    taught |= {
        (example.interaction.tenant, document)
        for example, one, part in parts
        if part is not DataSetPart.GATE
        for document in one.documents
    }
    rows = []
    for example, one, part in parts:
        weight = weight_of(example, wrong, liked_weight)
        if weight > 0:
            documents = {(example.interaction.tenant, each) for each in one.documents}
            rows.append(row_of(example, one, part, weight, held_out=not documents & taught))
    rows += for_teacher
    feedback_times = [example.at for example in examples]
    card = card_of_answers(tenant, profile_of, window, joined, rows, split, wrong, feedback_times)
    card |= {
        KIND: AnswersKind.WANTED.value,
        "groups": joined.groups([*examples, *golden.examples, *unanswered]),
        "golden": len(golden.examples),
        "prompt": wanted.prompt,
        "context_tokens": wanted.context_tokens,
    }
    check_enough(card, profile_of)
    return frozen_of(tenant, [*rows, *golden.rows()], card)


async def join_answers(
    segments: Segments, tenant: str, window: Window, wanted: Wanted
) -> tuple[AnswersJoined, float]:
    """Answers that somebody spoke of, and the share of votes that is wrong, below 1/2."""
    joined, votes = AnswersJoined(wanted), Joined()
    async for facts in segments.facts(window, tenant):
        joined.add(facts)
        votes.add(facts)
    return joined, min(beliefs(votes.examples).wrong, _MOST_WRONG)


def weight_of(example: AnswerExample, wrong: float, liked_weight: float) -> float:
    """What an answer counts, of which 1 is the most; a liked one that times `liked_weight`."""
    weight = trust(len(example.actors), wrong)
    return weight if example.correction is not None else weight * liked_weight


class Occurrences:
    """What ties answers to others; near-identical questions of all of them share a name."""

    def __init__(self, examples: Sequence[AnswerExample]) -> None:
        questions = [example.interaction.searched for example in examples]
        self._names = dict(zip(questions, clusters(questions), strict=True))

    def __call__(self, example: AnswerExample) -> AnswerOccurrence:
        """Of one of them."""
        return _occurrence(example, self._names[example.interaction.searched])


class Golden:
    """Golden ones of these answers, and the `others`. What shares a question or a conversation with
    a golden one is neither, and `lost`: it would teach what is to be judged by. People are not kept
    apart, because few write most of what is golden.
    """

    def __init__(self, everything: Sequence[AnswerExample], find: Occurrences) -> None:
        self._find = find
        self.examples = [one for one in everything if one.golden]
        self.tied = TiedTo(map(find, self.examples), ())
        self.others = [one for one in everything if not one.golden and not self.tied(find(one))]
        self.lost = len(everything) - len(self.examples) - len(self.others)

    def rows(self) -> list[AnswerRow]:
        """Each counts alike."""
        rows = (
            row_of(one, self._find(one), DataSetPart.GATE, 1.0, held_out=False)
            for one in self.examples
        )
        return [row.model_copy(update={"golden": True}) for row in rows]


def _occurrence(example: AnswerExample, cluster: str) -> AnswerOccurrence:
    """What ties an answer to others; `cluster` is the name that near-identical questions share."""
    interaction = example.interaction
    used = [shown for shown in interaction.shown if shown.used]
    cited = {shown.document_id for shown in used if shown.chunk_id in interaction.cited}
    first = {shown.document_id for shown in used if shown.rank == min(one.rank for one in used)}
    asker = FeedbackFact(0, interaction.tenant, "", "", "", "", "", interaction.actor, example.at)
    return AnswerOccurrence(
        cluster=cluster,
        conversation=interaction.conversation_id or interaction.interaction_id,
        actors=example.actors
        | ({actor_digest(interaction, asker)} if interaction.actor else set()),
        documents=frozenset(cited or first),
    )


def row_of(
    example: AnswerExample,
    occurrence: AnswerOccurrence,
    part: DataSetPart,
    weight: float,
    *,
    held_out: bool,
) -> AnswerRow:
    """A row that refers to the answer; only one of the gate can be `held_out`."""
    interaction, correction = example.interaction, example.correction
    return AnswerRow(
        question_id=interaction.interaction_id,
        tenant=interaction.tenant,
        acl=tuple(sorted(interaction.acl)),
        cluster=occurrence.cluster,
        part=part,
        held_out=held_out and part is DataSetPart.GATE,
        shown=tuple(
            ShownRow(
                chunk_id=shown.chunk_id,
                document_id=shown.document_id,
                rank=shown.rank,
                used=shown.used,
                cited=shown.chunk_id in interaction.cited,
            )
            for shown in sorted(interaction.shown, key=lambda one: one.rank)
        ),
        versions=dict(interaction.versions),
        actors=tuple(sorted(example.actors)),
        at=rfc3339(interaction.completed_at),
        kind=example.kind,
        weight=round(weight, 6),
        feedback_id=correction.feedback_id if correction else "",
        documents=tuple(sorted(occurrence.documents)),
        may_quote=tuple(sorted({each.document_id for each in interaction.quotable})),
        groups=tuple(sorted({group for each in interaction.quotable for group in each.acl or ()})),
    )


def check_there_is_something(
    joined: AnswersJoined, examples: Sequence[AnswerExample], tenant: str
) -> None:
    """Raises FailedPrecondition for a window in which nobody said anything that teaches."""
    if examples:
        return
    whose = "any tenant" if tenant == EVERY_TENANT else f"tenant {tenant}"
    reasons = "; ".join(_left_out(_counts(joined.dropped)))
    raise FailedPrecondition(
        f"the window holds {joined.interactions:,} questions of {whose}, but no correction and no "
        f"liked answer that can be learned from{f': {reasons}' if reasons else ''}; correct "
        "answers in the page, or with `gyre vote`"
    )


def _left_out(dropped: Mapping[str, int]) -> list[str]:
    return [f"{count:,} left out ({reason})" for reason, count in dropped.items()]


def _counts(dropped: Mapping[NotLearned, int]) -> dict[str, int]:
    return {reason.value: count for reason, count in sorted(dropped.items()) if count}


def card_of_answers(
    tenant: str,
    profile: Profile,
    window: Window,
    joined: AnswersJoined,
    rows: Sequence[AnswerRow],
    split: AnswerSplit,
    wrong: float,
    feedback_times: Sequence[datetime],
) -> Card:
    """All counts, the same whenever it is made; `feedback_times` are those of what counts."""
    train = [row for row in rows if row.part is not DataSetPart.GATE]
    gate = [row for row in rows if row.part is DataSetPart.GATE]
    moments = sorted(map(rfc3339, feedback_times))
    by_actor: dict[str, float] = defaultdict(float)
    for row in train:
        for actor in row.actors:
            by_actor[actor] += row.weight / len(row.actors)
    total = sum(by_actor.values())
    return {
        "format": 1,
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
        "gate_questions": len(gate),
        "interactions": joined.interactions,
        "votes": len(rows),
        "first_vote_at": moments[0] if moments else None,
        "last_vote_at": moments[-1] if moments else None,
        "actors": len({actor for row in rows for actor in row.actors}),
        "most_of_one_actor": round(max(by_actor.values()) / total, 6) if total else 0.0,
        "wrong_votes": {"share": wrong},
        "apart": list(split.apart),
        "parts": {
            part.value: _part([row for row in rows if row.part is part]) for part in DataSetPart
        },
        "clusters": len({row.cluster for row in rows}),
        "dropped": _counts(joined.dropped),
        "versions": dict(Counter(row.versions.get("generator", "") for row in rows)),
    }


def _part(rows: Sequence[AnswerRow]) -> Card:
    kinds = Counter(row.kind.value for row in rows)
    return {
        "answers": len(rows),
        **{kind.value: kinds[kind.value] for kind in AnswerKind},
        "clusters": len({row.cluster for row in rows}),
        "held_out": sum(row.held_out for row in rows),
        "weight": round(sum(row.weight for row in rows), 4),
    }


def check_enough(card: Card, profile: Profile) -> None:
    """Raises FailedPrecondition for answers that are too few, or too much one actor's."""
    check_actors(profile, what="answers", share=card["most_of_one_actor"], actors=card["actors"])
    train, gate = card["train_questions"], card["gate_questions"]
    if train < profile.train_questions or gate < profile.gate_questions:
        reasons = "".join(f"{each}; " for each in _left_out(card["dropped"]))
        raise FailedPrecondition(
            f"too few answers: {train:,} to learn from and {gate:,} to judge by, but profile "
            f"{profile.name} needs {profile.train_questions:,} and {profile.gate_questions:,}; "
            f"{reasons}correct more answers, or say which are good"
            f"{way_out(profile, PROFILES['demo'])}"
        )
