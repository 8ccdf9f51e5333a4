"""Versions that are settings alone: made from one there is, and checked before they are known."""

import pytest
from gyre_common.errors import FailedPrecondition, GyreError, InvalidInput, NotFound
from gyre_common.events.releases import ReleaseChanged
from gyre_common.releases.builtin import built_in_artifacts, digest_of_settings
from gyre_releases.settings_only import NewSettings, settings_version

from tests.unit.releases.release_builders import NOON, a_release

SHIPPED = built_in_artifacts(NOON)


def shipped(role: str) -> ReleaseChanged:
    return a_release(role, SHIPPED[role])


def new(role: str = "retrieval", version: str = "hybrid-2", **settings: str) -> NewSettings:
    return NewSettings(role=role, version=version, settings=settings)


def test_what_is_not_said_stays_as_it_was() -> None:
    artifact = settings_version(
        shipped("retrieval"), new(bm25_weight="0.6", dense_weight="0.4"), NOON
    )
    assert artifact.settings == {
        **SHIPPED["retrieval"].settings,
        "bm25_weight": "0.6",
        "dense_weight": "0.4",
    }
    assert artifact.digest == digest_of_settings(artifact.settings)
    assert artifact.evidence == {"based_on": "hybrid-1"}


def test_weights_keep_fitting_the_encoder_that_they_were_fitted_to() -> None:
    fitted = SHIPPED["retrieval"].model_copy(update={"fits": "votes"})
    assert settings_version(a_release("retrieval", fitted), new(candidates="80"), NOON).fits == (
        "votes"
    )


@pytest.mark.parametrize(
    ("new_settings", "error", "says"),
    [
        (new(version="no such name!", candidates="80"), InvalidInput, "version is no name"),
        (new(), InvalidInput, "settings are missing"),
        (
            new(bm25_weight="a lot"),
            InvalidInput,
            r"not understood here: bm25_weight \(input should be a valid number",
        ),
        (
            new(bm25_weihgt="0.5"),
            InvalidInput,
            r"not understood here: bm25_weihgt \(unknown, use .*bm25_weight",
        ),
        (
            new(exploration="0.9"),
            InvalidInput,
            r"not understood here: exploration \(input should be less than",
        ),
        (new(candidates="80\n"), InvalidInput, "control characters"),
        (
            NewSettings(role="retrieval", version="x", settings={"a": "b"}, based_on="hybrid-9"),
            NotFound,
            "registered are hybrid-1",
        ),
        (
            new("generator", "g2", pitch="1"),
            InvalidInput,
            "it has answers_at, backend, best_of, .*model, prompt, reward, temperature",
        ),
        (new("generator", "g2", temperature="warm"), InvalidInput, "the temperature 'warm'"),
        (new("generator", "g2", temperature="3"), InvalidInput, "from 0 to 2"),
        (new("generator", "g2", temperature="nan"), InvalidInput, "from 0 to 2"),
        (new("judge", "j2", temperature="1"), InvalidInput, "which baseline-1 has not: it has"),
        (new("query-encoder", "q2", package="other"), FailedPrecondition, "more than its settings"),
        (new("prompt/answer", "a2", text="Hi"), FailedPrecondition, "more than its settings"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(
    new_settings: NewSettings, error: type[GyreError], says: str
) -> None:
    with pytest.raises(error, match=says):
        settings_version(shipped(new_settings.role), new_settings, NOON)


def test_a_generator_may_say_when_it_answers_and_what_becomes_of_what_nothing_supports() -> None:
    wanted = new("generator", "reader-2", answers_at="0.5", unsupported="drop")
    artifact = settings_version(shipped("generator"), wanted, NOON)
    assert artifact.settings == {
        "backend": "extractive",
        "answers_at": "0.5",
        "unsupported": "drop",
    }
