"""Recipes of preferences verb after verb: from what people said to a verdict."""

import asyncio
import json
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from gyre_common.events.training import Decision
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.inputs import RunData

from tests.fakes.generator import fake_generator
from tests.training.answer_runs import CANDIDATE, SETTINGS, Stage, right, wrong
from tests.training.tiny_runs import never


class Trained:
    """A run whose candidate is written, by verbs that a child process would run."""

    def __init__(self, path: Path, recipe: str) -> None:
        self.recipe = recipe
        self.stage = Stage(path)

    def verb(self, name: str) -> ModuleType:
        return import_module(f"gyre_trainer.recipes.generator_{self.recipe}.{name}")

    async def begin(self, base: Path) -> None:
        settings = {**SETTINGS, "beta": "0.3"}
        await self.stage.begin(base, recipe=self.recipe, settings=settings)
        async with fake_generator({}) as generator:
            await self.verb("prepare").prepare(
                self.stage.folder, self.stage.settings(generator.address)
            )


@pytest.fixture(scope="module", params=["dpo", "kto"])
def exported(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_language_model: Path,
) -> Trained:
    trained = Trained(tmp_path_factory.mktemp("stage"), request.param)
    asyncio.run(trained.begin(tiny_language_model))
    trained.verb("train").train(trained.stage.folder, Variant.LOW_RANK, never)
    asyncio.run(trained.verb("export").export(trained.stage.folder, trained.stage.settings()))
    return trained


async def test_what_people_preferred_becomes_samples_and_a_version(exported: Trained) -> None:
    folder = exported.stage.folder
    data, result = RunData(folder), folder.variant("low-rank") / "result.json"
    fit, gate = data.samples(DataSetPart.FIT), data.samples(DataSetPart.GATE)
    assert json.loads(result.read_bytes())["samples"] == len(fit)
    assert {bool(sample.rejected) for sample in fit} == {exported.recipe == "dpo"}
    assert {sample.row.desirable for sample in fit} == {True} | {exported.recipe == "dpo"}
    assert all(sample.row.desirable and not sample.rejected for sample in gate)
    candidate = folder.exported()
    assert (candidate.version, candidate.settings["base"]) == (CANDIDATE, "tiny")
    readme = (folder.candidate / "README.md").read_text()
    expected = {
        "dpo": ("pairs of answers, of which people preferred one", "validation pairs, nats a pair"),
        "kto": (
            "answers that should be given and answers that should not",
            "disliked or corrected",
        ),
    }
    assert all(words in readme for words in expected[exported.recipe])


async def test_a_candidate_is_judged_as_one_that_learned_from_corrections(
    exported: Trained,
) -> None:
    stage = exported.stage
    async with fake_generator({"tiny": wrong, CANDIDATE: right}) as generator:
        await exported.verb("compare").compare(stage.folder, stage.settings(generator.address))
    assert stage.folder.verdict().decision is Decision.PASSED
