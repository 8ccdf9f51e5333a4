"""Learning from preferences goes on from what corrections taught, where live is an adapter."""

import asyncio
import json
import shutil
from importlib import import_module
from pathlib import Path

import pytest
import torch
from gyre_common.errors import FailedPrecondition
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.model import Beginning
from gyre_trainer.runs.folder import RunFolder
from safetensors.torch import load_file

from tests.fakes.generator import fake_generator
from tests.training.answer_runs import SETTINGS, Stage
from tests.training.test_grpo import a_grpo_run, a_reward_model, reported_metric, trained
from tests.training.test_preference_train import RECIPES, Peer
from tests.training.tiny_generators import TinyRun, an_adapter
from tests.training.tiny_runs import never

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, tiny_language_model: Path) -> Path:
    """Of rank 3; leave it as it is."""
    return an_adapter(tmp_path_factory.mktemp("adapter") / "learned", tiny_language_model)


def reference(run: TinyRun, variant: str = "low-rank") -> list[float]:
    content = json.loads((run.folder.variant(variant) / "reference.json").read_bytes())
    return [value for each in content["log_probabilities"] for value in each]


def moved(run: TinyRun, adapter: Path) -> float:
    """The largest change of a number."""
    began, learned = load_file(adapter / WEIGHTS), run.learned()
    assert began.keys() == learned.keys()
    return max((learned[name] - value).abs().max().item() for name, value in began.items())


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda each: each.name)
def test_what_it_starts_from_is_the_reference(
    tmp_path: Path, tiny_language_model: Path, adapter: Path, recipe: Peer
) -> None:
    """At the first step nothing has moved, so the loss is the same wherever it starts."""
    low = {"low_rank_learning_rate": 1e-6, "learning_rate": 1e-6, "epochs": 1}
    anew = recipe.trained(recipe.run(tmp_path / "anew", tiny_language_model, **low))
    run = recipe.trained(recipe.run(tmp_path / "run", tiny_language_model, start=adapter, **low))
    assert run.result().loss[0] == pytest.approx(anew.result().loss[0], abs=1e-5)
    apart = [one - other for one, other in zip(reference(run), reference(anew), strict=True)]
    assert max(map(abs, apart)) > 1
    assert 0 < moved(run, adapter) < 1e-4
    whole = recipe.run(tmp_path / "whole", tiny_language_model, start=adapter, **low)
    recipe.trained(whole, Variant.FULL)
    assert reference(whole, "full") == pytest.approx(reference(run), abs=1e-3)
    assert whole.result("full").loss[0] == pytest.approx(anew.result().loss[0], abs=1e-4)


def test_rewards_move_it_from_where_it_started(
    tmp_path: Path, tiny_language_model: Path, adapter: Path
) -> None:
    reward_model = a_reward_model(tmp_path / "reward")
    low = {"low_rank_learning_rate": 1e-6, "epochs": 1}
    run = trained(
        a_grpo_run(tmp_path / "run", tiny_language_model, reward_model, start=adapter, **low)
    )
    assert reported_metric(run, "kl")[0] == pytest.approx(0, abs=1e-6)
    assert 0 < moved(run, adapter) < 1e-4


def test_the_beginning_is_there_again_for_a_moment() -> None:
    model = torch.nn.Linear(2, 1)
    began = model.weight.detach().clone()
    beginning = Beginning(model)
    with torch.no_grad():
        model.weight += 1
    with beginning.restored():
        assert torch.equal(model.weight, began)
    assert torch.equal(model.weight, began + 1)


def test_an_adapter_that_changed_or_is_damaged_is_told(
    tmp_path: Path, tiny_language_model: Path, adapter: Path
) -> None:
    recipe, own = RECIPES[0], Path(shutil.copytree(adapter, tmp_path / "own"))
    run = recipe.run(tmp_path / "run", tiny_language_model, start=own)
    (own / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(FailedPrecondition, match=r"the adapter .* has changed"):
        recipe.trained(run)
    damaged = recipe.run(tmp_path / "damaged", tiny_language_model, start=own)
    with pytest.raises(FailedPrecondition, match=r"the adapter .* cannot be opened to train it"):
        recipe.trained(damaged)


@pytest.mark.parametrize("recipe", ["dpo", "kto"])
async def test_a_run_goes_on_from_live_unless_it_is_not_to(
    tmp_path: Path, tiny_language_model: Path, recipe: str
) -> None:
    def verb(name: str):  # type: ignore[no-untyped-def]
        return getattr(import_module(f"gyre_trainer.recipes.generator_{recipe}.{name}"), name)

    async def prepared(path: Path, **settings: str) -> Stage:
        stage = Stage(path)
        adapter = an_adapter(path / "adapter", tiny_language_model)
        await stage.begin(
            tiny_language_model, adapter=adapter, recipe=recipe, settings=SETTINGS | settings
        )
        async with fake_generator({}) as generator:
            await verb("prepare")(stage.folder, stage.settings(generator.address))
        return stage

    folder = (await prepared(tmp_path / "anew", continue_live="false")).folder
    anew = RunData(folder)
    assert (anew.inputs.start, anew.start_folder) == (None, None)
    assert tokens_read(folder) == 1024
    stage = await prepared(tmp_path / "run")
    assert tokens_read(stage.folder) == 400
    assert RunData(stage.folder).inputs.begins_with.version == "tiny-sft"
    await asyncio.to_thread(verb("train"), stage.folder, Variant.LOW_RANK, never)
    await verb("export")(stage.folder, stage.settings())
    settings = stage.folder.exported().settings
    assert (settings["base"], settings["answers_at"]) == ("tiny", "0.4")
    assert settings["context_tokens"] == "400"
    assert "starting from tiny-sft (`sha256:" in (stage.folder.candidate / "README.md").read_text()


def tokens_read(folder: RunFolder) -> int:
    tokens: int = json.loads((folder.data_set / "card.json").read_bytes())["context_tokens"]
    return tokens
