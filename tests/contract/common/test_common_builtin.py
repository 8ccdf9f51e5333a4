"""What ships with Gyre is what its first releases say."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from gyre_common.events import ALL_TOPICS
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import shipped_model
from gyre_common.releases import builtin

from tests import builders

ROOT = Path(__file__).parents[3]
ARTIFACTS = builtin.built_in_artifacts(datetime(2026, 3, 2, tzinfo=UTC))
WITH_FILES = {Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER, Roles.ANSWER_PROMPT}


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def test_every_role_has_a_first_version() -> None:
    assert set(ARTIFACTS) == set(Roles)


def test_the_encoders_files_are_those_that_were_registered() -> None:
    for role in (Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER):
        assert shipped_model(ARTIFACTS[role]).is_dir()


def test_the_small_models_digest_is_that_of_what_setup_llm_brings() -> None:
    script = (ROOT / "tools" / "setup.sh").read_text()
    assert builtin.LANGUAGE_MODEL_DIGEST.removeprefix("sha256:") in script
    assert f"/{builtin.LANGUAGE_MODEL_VERSION}/{builtin.LANGUAGE_MODEL_FILE}" in script


def test_the_prompts_digests_are_those_of_the_templates_in_the_generator() -> None:
    prompts = ROOT / "services" / "generator" / "src" / "gyre_generator" / "prompts" / "answer"
    templates = {path.stem: sha256_of(path) for path in prompts.glob("*.jinja")}
    assert templates == builtin.ANSWER_PROMPTS
    assert ARTIFACTS[Roles.ANSWER_PROMPT].version == builtin.ANSWER_PROMPT_VERSION


def test_what_serves_first_is_the_first_that_is_shipped() -> None:
    shipped = builtin.shipped_artifacts(datetime(2026, 3, 2, tzinfo=UTC))
    assert {role: artifacts[0] for role, artifacts in shipped.items()} == ARTIFACTS


def test_the_query_encoder_fits_the_index() -> None:
    document = ARTIFACTS[Roles.DOCUMENT_ENCODER]
    assert ARTIFACTS[Roles.QUERY_ENCODER].fits == document.version
    assert document.index is not None
    assert document.version in document.index


@pytest.mark.parametrize("role", sorted(set(Roles) - WITH_FILES))
def test_a_version_without_files_is_defined_by_its_settings(role: Roles) -> None:
    artifact: Artifact = ARTIFACTS[role]
    assert artifact.digest == builtin.digest_of_settings(artifact.settings)


def test_the_digest_of_settings_does_not_depend_on_their_order() -> None:
    one, other = {"a": "1", "b": "ü"}, {"b": "ü", "a": "1"}
    assert builtin.digest_of_settings(one) == builtin.digest_of_settings(other)
    assert builtin.digest_of_settings({"a": "1"}) != builtin.digest_of_settings({"a": "2"})


def test_there_is_a_builder_for_the_event_of_every_topic() -> None:
    samples = [
        build()
        for name, build in vars(builders).items()
        if name.startswith(("a_", "an_")) and callable(build)
    ]
    for topic in ALL_TOPICS:
        [event] = [each for each in samples if type(each) is topic.model]
        assert topic.model.model_validate_json(event.to_json()) == event
        assert topic.key(event)
