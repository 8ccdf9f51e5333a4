"""How far words can be trusted is estimated from all of them, without knowing the truth."""

import random
import warnings
from collections.abc import Sequence

import pytest
from gyre_trainer.data_sets.joining import InteractionWithFeedback
from gyre_trainer.data_sets.labels import labels
from gyre_trainer.data_sets.reliability import beliefs
from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, PartitionFacts

from tests.unit.trainer.training_facts import (
    a_vote,
    an_interaction,
    an_opinion,
    chunk,
    join,
    joined,
)

GOOD_AT_RANK = (0.8, 0.5, 0.25, 0.1, 0.05)


def a_crowd(
    *,
    wrong: float,
    questions: int = 400,
    twice: bool = True,
    clicks: float = 0.0,
    troll: bool = False,
    seed: int = 7,
) -> tuple[list[InteractionWithFeedback], set[tuple[str, int]]]:
    """Questions with five passages each, and which of these are good: (question, passage)."""
    dice = random.Random(seed)
    interactions, feedback, good = [], [], set()
    for number in range(questions):
        about = an_interaction(number, 1, 2, 3, 4, 5)
        fits = [dice.random() < share for share in GOOD_AT_RANK]
        good |= {(about.question, rank) for rank, fit in enumerate(fits, start=1) if fit}
        for again in range(2 if twice else 1):
            about = an_interaction(
                number + again * questions, 1, 2, 3, 4, 5, question=about.question
            )
            interactions.append(about)
            actor = f"actor-{dice.randrange(20)}"
            for rank, fit in enumerate(fits, start=1):
                if fit and dice.random() < clicks:
                    feedback.append(click(about, rank, actor))
                if dice.random() < (0.85 if fit else 0.2):
                    says = fit != (dice.random() < wrong)
                    feedback.append(a_vote(about, rank, "up" if says else "down", actor=actor))
                    if troll:
                        feedback.append(a_vote(about, rank, "down" if fit else "up", actor="troll"))
    return join(PartitionFacts(interactions, feedback)).examples, good


def click(about: InteractionFact, rank: int, actor: str) -> FeedbackFact:
    return an_opinion(about, kind="implicit", value="click", target=chunk(rank), actor=actor)


def labelled_passages(
    examples: Sequence[InteractionWithFeedback],
) -> list[tuple[str, int, str, float | None]]:
    """Question, rank, why and label of each passage that somebody spoke of."""
    estimates = beliefs(examples)
    return [
        (example.interaction.question, shown.rank, label.why, label.value)
        for example in examples
        for shown, label in zip(
            example.interaction.shown, labels(example, estimates).values(), strict=True
        )
        if label.why not in ("", "passed_over")
    ]


@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.3])
def test_the_share_of_wrong_votes_is_found_from_those_who_voted_on_the_same(wrong: float) -> None:
    estimates = beliefs(a_crowd(wrong=wrong, questions=1000)[0])
    assert estimates.wrong == pytest.approx(wrong, abs=0.04)
    assert estimates.compared > 200


def test_a_few_votes_are_not_taken_for_a_crowd_that_is_mostly_wrong() -> None:
    estimates = [beliefs(a_crowd(wrong=0.1, questions=50, seed=seed)[0]) for seed in range(40)]
    assert max(each.compared for each in estimates) < 220
    assert max(each.wrong for each in estimates) < 0.18


def test_labels_are_right_as_often_as_they_say() -> None:
    examples, good = a_crowd(wrong=0.2, clicks=0.4)
    ups = [
        (question, rank, value)
        for question, rank, _, value in labelled_passages(examples)
        if value and value > 0
    ]
    right = sum((question, rank) in good for question, rank, _ in ups) / len(ups)
    mean_label = sum((1 + value) / 2 for *_, value in ups) / len(ups)
    assert mean_label == pytest.approx(right, abs=0.03)


def test_discounting_leaves_out_more_wrong_votes_than_right_ones() -> None:
    examples, good = a_crowd(wrong=0.3)
    ups = [one for one in labelled_passages(examples) if one[2] == "vote_up"]
    raw = [
        ((example.interaction.question, shown.rank) in good)
        for example in examples
        for shown in example.interaction.shown
        for opinion in example.opinions
        if opinion.target == shown.chunk_id and opinion.sign > 0
    ]
    mass = sum(value or 0 for *_, value in ups)
    wrong = mass - sum(value or 0 for question, rank, _, value in ups if (question, rank) in good)
    assert wrong / mass < 0.6 * (1 - sum(raw) / len(raw))


def test_a_vote_up_where_little_fits_counts_less_than_one_at_the_top() -> None:
    examples, _ = a_crowd(wrong=0.2, twice=False)
    values = {
        rank: value for _, rank, why, value in labelled_passages(examples) if why == "vote_up"
    }
    assert (values[1] or 0) > (values[3] or 0)


def test_words_are_never_turned_round() -> None:
    values = labelled_passages(a_crowd(wrong=0.3)[0])
    assert {why for _, _, why, value in values if value is None} == {"doubtful"}
    assert all((value > 0) == (why == "vote_up") for _, _, why, value in values if value)


def test_one_who_contradicts_everybody_makes_nearly_everything_doubtful() -> None:
    examples, _ = a_crowd(wrong=0.1, troll=True)
    values = [value or 0 for *_, value in labelled_passages(examples)]
    assert sum(value > 0 for value in values) < 0.1 * len(values)
    assert beliefs(examples).wrong > 0.4


def test_without_anybody_to_compare_with_votes_are_taken_at_their_word() -> None:
    about = [an_interaction(number, 1, 2) for number in range(40)]
    votes = [*(a_vote(each, 1) for each in about), a_vote(about[0], 2, "down")]
    examples = join(PartitionFacts(about, votes)).examples
    estimates = beliefs(examples)
    assert estimates.compared == 0
    values = [value for _, _, why, value in labelled_passages(examples) if why == "vote_up"]
    assert min(value or 0 for value in values) > 0.8
    assert (
        next(value or 0 for _, _, why, value in labelled_passages(examples) if why == "vote_down")
        < -0.5
    )


def test_a_word_on_the_answer_says_less_than_a_vote_on_the_passage() -> None:
    about = an_interaction(0, 1, 2, cited=(chunk(2),))
    [cited], _ = joined(about, an_opinion(about, kind="thumb", value="up"))
    [voted], _ = joined(about, a_vote(about, 2))
    thumb, vote = (labels(each, beliefs([each]))[chunk(2)].value or 0 for each in (cited, voted))
    assert 0 < thumb < vote


def test_the_order_of_the_examples_changes_nothing() -> None:
    examples, _ = a_crowd(wrong=0.2, questions=60)
    mixed = examples.copy()
    random.Random(1).shuffle(mixed)
    assert beliefs(mixed) == beliefs(examples)


def test_nobody_spoke() -> None:
    assert beliefs([]).good == {}


def test_many_who_agree_leave_no_number_too_large() -> None:
    about = an_interaction(0)
    votes = [a_vote(about, 1, "down", actor=f"a{number}") for number in range(300)]
    votes += [a_vote(about, 2, "up", actor=f"a{number}") for number in range(300)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimates = beliefs(join(PartitionFacts([about], votes)).examples)
    assert (estimates.good[_of(about, 1)], estimates.good[_of(about, 2)]) == (0.0, 1.0)


def _of(about: InteractionFact, number: int) -> tuple[str, str, str]:
    return (about.tenant, about.question, chunk(number))
