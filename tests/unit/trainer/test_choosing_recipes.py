"""Which recipe trains a role, what it starts from, and what it trains, by what was asked for."""

import pytest
from gyre_common.errors import InvalidInput
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.releases.builtin import LANGUAGE_MODEL_VERSION, built_in_artifacts
from gyre_common.signature import Signature
from gyre_trainer.recipes import RECIPES, recipe_named
from gyre_trainer.runs.folder import RunSpec
from gyre_trainer.runs.starting import NewRun, RunStarter

from tests.unit.trainer.run_fakes import DIGEST, NOON


@pytest.mark.parametrize(
    ("name", "role", "expected"),
    [
        ("", "", "query-encoder"),
        ("sft", "", "sft"),
        ("", "generator", "sft"),
        ("sft", "generator", "sft"),
        ("dpo", "generator", "dpo"),
        ("kto", "", "kto"),
        ("soft-prompt", "generator", "soft-prompt"),
        ("grpo", "generator", "grpo"),
        ("query-encoder", "query-encoder", "query-encoder"),
        ("", "prompt/answer", "few-shot"),
        ("", "judge", "reward"),
    ],
)
def test_a_recipe_is_found_by_its_name_or_by_the_role(name: str, role: str, expected: str) -> None:
    assert recipe_named(name, role=role).name == expected


@pytest.mark.parametrize(
    ("name", "role", "message"),
    [
        (
            "nothing",
            "",
            f"recipe is unknown: use one of {', '.join(sorted(RECIPES))}",
        ),
        ("sft", "query-encoder", "recipe does not train query-encoder: use one of query-encoder"),
        (
            "",
            "reranker",
            "role is one that no recipe trains: use one of "
            f"{', '.join(sorted({each.role for each in RECIPES.values()}))}",
        ),
    ],
)
def test_what_no_recipe_trains_is_refused_with_what_there_is(
    name: str, role: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        recipe_named(name, role=role)


def a_generator(version: str, **settings: str) -> Artifact:
    settings = {"backend": "openai", **settings}
    return Artifact(version=version, digest=DIGEST, settings=settings, registered_at=NOON)


class Releases:
    """Implements Registry. Live is `live`; the default of all tenants has `shared` beside."""

    def __init__(self, live: Artifact) -> None:
        self._live = live
        self._prompt = built_in_artifacts(NOON)["prompt/answer"]

    def state(self, tenant: str, role: str) -> ReleaseChanged:
        live = self._live if role == "generator" else self._prompt
        shared = (
            (a_generator("shared"), a_generator(LANGUAGE_MODEL_VERSION))
            if tenant == EVERY_TENANT
            else ()
        )
        return ReleaseChanged(
            tenant=tenant,
            role=role,
            generation=1,
            live=live.version,
            artifacts=(live, *shared),
            actor="ann",
            reason="",
            changed_at=NOON,
        )

    def with_their_own(self, role: str) -> tuple[str, ...]:
        return ("acme",)

    async def register(self, tenant: str, role: str, artifact: Artifact, by: Signature) -> None:
        raise AssertionError


async def spec_of(
    live: Artifact, recipe: str = "", tenant: str = "acme", **settings: str
) -> RunSpec:
    async def window() -> dict[str, tuple[int, int]]:
        return {}

    new = NewRun(tenant=tenant, actor="ann", recipe=recipe, role="generator", settings=settings)
    return await RunStarter(Releases(live), window).spec(new)


async def base_of(live: Artifact, **settings: str) -> str:
    spec = await spec_of(live, **settings)
    assert spec.base_artifact is not None
    assert spec.version.startswith(f"{spec.base}-")
    assert spec.base_artifact.version == spec.base
    return spec.base


async def test_a_run_starts_from_live_what_that_was_made_of_or_what_is_named() -> None:
    assert await base_of(a_generator("whole")) == "whole"
    assert await base_of(a_generator("adapter", base="shared")) == "shared"
    assert await base_of(a_generator("whole"), base="shared") == "shared"
    assert await base_of(a_generator("reader", backend="extractive")) == LANGUAGE_MODEL_VERSION


async def test_a_base_that_is_no_version_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="setting base names nothing, which is no version"):
        await base_of(a_generator("whole"), base="nothing")


async def test_a_version_that_a_setting_names_is_written_down_or_refused_by_name() -> None:
    spec = await spec_of(a_generator("whole"), "grpo", reward="shared")
    assert {name: artifact.version for name, artifact in spec.named.items()} == {"reward": "shared"}
    with pytest.raises(InvalidInput, match=r"setting reward names nothing, .* version of judge"):
        await spec_of(a_generator("whole"), "grpo", reward="nothing")


async def test_a_run_for_all_tenants_knows_whom_its_candidate_does_not_reach() -> None:
    live = a_generator("whole")
    assert (await spec_of(live, tenant=EVERY_TENANT)).unaffected == ("acme",)
    assert (await spec_of(live)).unaffected == ()


def test_a_run_trains_one_variant_of_a_generator_and_all_of_an_encoder() -> None:
    assert RECIPES["sft"].variants_of({}) == ("low-rank",)
    assert RECIPES["sft"].variants_of({"variant": "full"}) == ("full",)
    assert RECIPES["soft-prompt"].variants_of({}) == ("soft-prompt",)
    assert RECIPES["query-encoder"].variants_of({}) == ("full", "low-rank")
