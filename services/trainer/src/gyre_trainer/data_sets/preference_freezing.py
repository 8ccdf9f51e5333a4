"""From a window of the streams to a frozen data set of preferences, with its card."""

from collections.abc import Sequence

from gyre_common.errors import FailedPrecondition

from gyre_trainer.data_sets.answer_freezing import (
    PROFILES,
    Golden,
    Occurrences,
    card_of_answers,
    check_enough,
    check_there_is_something,
    join_answers,
    row_of,
    weight_of,
)
from gyre_trainer.data_sets.answer_joining import AnswerExample, NotLearned, Wanted
from gyre_trainer.data_sets.answer_split import AnswerOccurrence, TiedTo, split_answers
from gyre_trainer.data_sets.answers import KIND, AnswerKind, AnswerRow, AnswersKind
from gyre_trainer.data_sets.frozen import Card, DataSetPart, FrozenDataSet, Reference, frozen_of
from gyre_trainer.data_sets.preferences import Preference, preferences_of
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import Window, validate_window


async def freeze_preferences(
    segments: Segments,
    *,
    kind: AnswersKind,
    tenant: str,
    profile: str,
    window: Window,
    wanted: Wanted,
    liked_weight: float,
) -> FrozenDataSet:
    """Freeze a window: to learn from, pairs or labelled answers; to judge by, the answers that a
    data set of wanted ones holds out, or of comparisons their pairs. Raises as `freeze_answers`.
    """
    window = validate_window(window)
    joined, wrong = await join_answers(segments, tenant, window, wanted)
    everything, profile_of = joined.examples(), PROFILES[profile]
    golden = Golden(everything, Occurrences(everything))
    joined.dropped[NotLearned.HELD_OUT] += golden.lost
    examples = golden.others
    check_there_is_something(joined, examples, tenant)
    preferences = preferences_of(kind, examples, joined.disliked(), wrong=wrong)
    find = Occurrences([*everything, *(side for each in preferences for side in each.sides)])
    tied_to_golden = TiedTo(map(find, golden.examples), ())
    split = split_answers([find(example) for example in examples], profile_of)
    part_of = dict(zip(map(_reference, examples), split.parts, strict=True))
    gate_examples = [one for one in examples if part_of[_reference(one)] is DataSetPart.GATE]
    held_out = [
        each
        for each in preferences
        if kind is AnswersKind.COMPARISONS
        and part_of.get(_reference(each.answer)) is DataSetPart.GATE
    ]
    judging = [*gate_examples, *(side for each in held_out for side in each.sides)]
    tied = TiedTo(map(find, judging), split.apart)

    taught: list[AnswerRow] = []
    for preference in preferences:
        part = part_of.get(_reference(preference.answer), DataSetPart.FIT)
        if part is DataSetPart.GATE:
            continue
        sides_of = [find(side) for side in preference.sides]
        if any(tied(side) or tied_to_golden(side) for side in sides_of):
            joined.dropped[NotLearned.HELD_OUT] += 1
        else:
            taught.append(_row(preference, find(preference.answer), part))
    documents = {(row.tenant, each) for row in taught for each in row.documents}
    if kind is AnswersKind.COMPARISONS:
        judged_by = [_row(each, find(each.answer), DataSetPart.GATE) for each in held_out]
    else:
        judged_by = [
            row_of(example, find(example), DataSetPart.GATE, weight, held_out=True)
            for example in gate_examples
            if (weight := weight_of(example, wrong, liked_weight)) > 0
        ]
    gate = []
    for row in judged_by:
        is_new = not {(row.tenant, each) for each in row.documents} & documents
        gate.append(row.model_copy(update={"held_out": is_new}))
    rows = [*taught, *gate]
    sides = [side for each in preferences for side in each.sides]
    feedback_times = [each.at for each in (*examples, *sides)]
    card = card_of_answers(tenant, profile_of, window, joined, rows, split, wrong, feedback_times)
    card |= {
        KIND: kind.value,
        "groups": joined.groups([*examples, *golden.examples, *sides]),
        "golden": len(golden.examples),
        "prompt": wanted.prompt,
        "context_tokens": wanted.context_tokens,
    }
    _count_disliked(card, rows)
    check_enough(card, profile_of)
    if kind is AnswersKind.LABELLED:
        _check_both_kinds(taught)
    judged_apart = golden.rows() if kind is not AnswersKind.COMPARISONS else []
    return frozen_of(tenant, [*rows, *judged_apart], card)


def _reference(example: AnswerExample) -> Reference:
    return (example.interaction.tenant, example.interaction.interaction_id)


def _row(preference: Preference, occurrence: AnswerOccurrence, part: DataSetPart) -> AnswerRow:
    row = row_of(preference.answer, occurrence, part, preference.trust, held_out=False)
    rejected = preference.rejected
    actors = {actor for side in preference.sides for actor in side.actors}
    return row.model_copy(
        update={
            "actors": tuple(sorted(actors)),
            "rejected_id": rejected.interaction.interaction_id if rejected else "",
            "desirable": preference.desirable,
        }
    )


def _count_disliked(card: Card, rows: Sequence[AnswerRow]) -> None:
    """Those that should not be given, whatever they say, under that name alone."""
    for part in DataSetPart:
        disliked = [row for row in rows if row.part is part and not row.desirable]
        of_part = card["parts"][part.value]
        for row in disliked:
            of_part[row.kind.value] -= 1
        of_part[AnswerKind.DISLIKED.value] = len(disliked)


def _check_both_kinds(rows: Sequence[AnswerRow]) -> None:
    kinds = {row.desirable for row in rows if row.part is DataSetPart.FIT}
    if len(kinds) == 1:
        missing = "should not be given: vote answers down, or correct them"
        if kinds == {False}:
            missing = "should be given: vote answers up, or correct them"
        raise FailedPrecondition(f"there is no answer to learn from that {missing}")
