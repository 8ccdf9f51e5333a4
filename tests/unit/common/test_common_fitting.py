"""What fits what is decided once, for who releases, who resolves and who searches."""

import pytest
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases.fitting import by_recency, fit_generator_and_prompt, fit_together, fits

from tests.builders import a_release, an_artifact

D, Q, R = Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER, Roles.RETRIEVAL


def versions(*names: str) -> list[Artifact]:
    """`q2>d2` is version q2 that fits d2."""
    pairs = (name.partition(">") for name in names)
    return [an_artifact(version, fits=other or None) for version, _, other in pairs]


def fitting(
    settled: str = "", **candidates: list[Artifact]
) -> tuple[str | None, str | None, str | None]:
    by_role = {role: candidates.get(role.name[0].lower(), []) for role in (D, Q, R)}
    fitting_artifacts = fit_together(by_role, settled={settled})
    document, query, weights = (fitting_artifacts.get(role) for role in (D, Q, R))
    return (
        document.version if document else None,
        query.version if query else None,
        weights.version if weights else None,
    )


def test_a_version_that_names_none_fits_any() -> None:
    [general, fitted] = versions("general", "fitted>q1")
    assert fits(general, "q1")
    assert fits(general, "q2")
    assert fits(fitted, "q1")
    assert not fits(fitted, "q2")


@pytest.mark.parametrize(
    ("documents", "queries", "expected"),
    [
        (["d1"], ["q1>d1"], ("d1", "q1")),
        (["d1"], ["q2>d2", "q1>d1"], ("d1", "q1")),
        (["d2", "d1"], ["q1>d1"], ("d1", "q1")),
        (["d2", "d1"], ["q1>d1", "q2>d2"], ("d1", "q1")),
        (["d1", "d2"], ["q2>d2", "q1>d1"], ("d2", "q2")),
        (["d2", "d1"], ["any", "q1>d1"], ("d2", "any")),
        (["d3"], ["q2>d2", "q1>d1"], ("d3", "q2")),
        ([], ["q1>d1"], (None, "q1")),
        (["d1"], [], ("d1", None)),
    ],
)
def test_the_first_encoders_that_fit_are_taken_and_the_first_ones_where_none_do(
    documents: list[str], queries: list[str], expected: tuple[str | None, str | None]
) -> None:
    assert fitting(d=versions(*documents), q=versions(*queries))[:2] == expected


@pytest.mark.parametrize(
    ("settled", "weights", "expected"),
    [
        ("q1", ["general", "for-q1>q1"], "general"),
        ("q1", ["for-q2>q2", "general", "for-q1>q1"], "general"),
        ("", ["general", "for-q1>q1"], "for-q1"),
        ("", ["for-q2>q2", "general", "newer"], "general"),
        ("", ["for-q2>q2", "for-q3>q3"], "for-q2"),
    ],
)
def test_weights_fitted_to_an_encoder_come_first_beside_one_that_is_new(
    settled: str, weights: list[str], expected: str
) -> None:
    assert fitting(settled, q=versions("q1"), r=versions(*weights))[2] == expected


def test_weights_follow_the_encoder_that_was_chosen_not_the_first_one() -> None:
    fitting_artifacts = fitting(
        d=versions("d1"), q=versions("q2>d2", "q1>d1"), r=versions("for-q2>q2", "for-q1>q1")
    )
    assert fitting_artifacts == ("d1", "q1", "for-q1")


@pytest.mark.parametrize(
    ("generators", "prompts", "expected"),
    [
        (["any"], ["p1", "p2"], ("any", "p1")),
        (["g2>p2"], ["p1", "p2"], ("g2", "p2")),
        (["g2>p2", "any", "g1>p1"], ["p1"], ("any", "p1")),
        (["g2>p2", "g1>p1"], ["p1"], ("g1", "p1")),
        (["g2>p2", "g1>p1"], ["p1", "p2"], ("g2", "p2")),
        (["g2>p2"], ["p1"], None),
        (["any"], [], None),
        ([], ["p1"], None),
    ],
)
def test_the_first_generator_that_goes_with_a_prompt_is_taken_and_none_where_none_does(
    generators: list[str], prompts: list[str], expected: tuple[str, str] | None
) -> None:
    made_for = (name.partition(">") for name in generators)
    artifacts = [
        an_artifact(version, settings={"prompt": prompt} if prompt else {})
        for version, _, prompt in made_for
    ]
    pair = fit_generator_and_prompt(artifacts, prompts)
    assert (pair and (pair[0].version, pair[1])) == expected


def test_what_served_comes_before_what_never_did_the_newest_first() -> None:
    state = a_release(
        live="c", history=("a", "gone"), artifacts=tuple(versions("a", "b", "c", "d"))
    )
    assert [artifact.version for artifact in by_recency(state)] == ["c", "a", "d", "b"]
