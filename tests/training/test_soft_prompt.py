"""A soft prompt: what it learns, beside PEFT's prompt tuning, and how the base serves it."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.training import Decision
from gyre_common.language_model_files import read_language_model
from gyre_trainer.language_models.batches import (
    Batches,
    TokenizedSample,
    pack,
    tokenized,
    total_weight,
)
from gyre_trainer.language_models.chat import ChatTokenizer
from gyre_trainer.language_models.export import write_candidate
from gyre_trainer.language_models.model import TrainableGenerator, open_base, open_tokenizer
from gyre_trainer.recipes.generator_sft.loss import completion_loss
from gyre_trainer.recipes.generator_soft_prompt.compare import compare
from gyre_trainer.recipes.generator_soft_prompt.config import (
    GeneratorSoftPromptConfig,
    SoftPromptVariant,
)
from gyre_trainer.recipes.generator_soft_prompt.export import WITH_SOFT_PROMPT, export
from gyre_trainer.recipes.generator_soft_prompt.prepare import prepare
from gyre_trainer.recipes.generator_soft_prompt.soft_prompt import (
    SoftPrompt,
    reserve_tokens,
    soften,
)
from gyre_trainer.recipes.generator_soft_prompt.train import train
from gyre_trainer.training.program import Stopped
from peft import PromptTuningConfig, get_peft_model
from torch import Tensor

from tests.fakes.generator import fake_generator
from tests.training.answer_runs import CANDIDATE, SETTINGS, Stage, right, wrong
from tests.training.tiny_generators import TinyRun, a_language_model, a_run, a_sample
from tests.training.tiny_runs import never

VIRTUAL = 4
INITIAL = "Say it."
ONLY = SoftPromptVariant.SOFT_PROMPT


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random language model with special tokens in reserve."""
    return a_language_model(tmp_path_factory.mktemp("llm") / "model", reserved=VIRTUAL + 1)


def a_soft_run(path: Path, base: Path, **settings: Any) -> TinyRun:
    of_soft: dict[str, Any] = {"virtual_tokens": VIRTUAL, "initial_text": INITIAL, "rank": None}
    return a_run(path, base, **(of_soft | settings))


def trained(run: TinyRun) -> TinyRun:
    train(run.folder, ONLY, never)
    return run


def after(step: int) -> Callable[[], bool]:
    """A stop signal that is given in a certain step."""
    steps = count(1)
    return lambda: next(steps) >= step


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, base: Path) -> TinyRun:
    """Trained in one go, and left as it is."""
    return trained(a_soft_run(tmp_path_factory.mktemp("straight") / "run", base))


def test_training_lowers_the_loss_also_of_what_taught_nothing(tmp_path: Path, base: Path) -> None:
    run = trained(a_soft_run(tmp_path / "run", base, epochs=20, learning_rate=0.1))
    result = run.result(ONLY)
    assert result.steps == len(result.loss) == 60
    assert np.mean(result.loss[-4:]) < 0.85 * np.mean(result.loss[:4])
    before, now = result.validation.before, result.validation.after
    assert before is not None
    assert now is not None
    assert now < 0.9 * before


def test_only_the_rows_of_the_virtual_tokens_are_learned(straight: TinyRun, base: Path) -> None:
    learned = straight.learned(ONLY)
    assert set(learned) == {"rows", "tokens"}
    words = open_base(base)[0].get_input_embeddings().weight
    initial = open_tokenizer(base)(INITIAL, add_special_tokens=False).input_ids[:VIRTUAL]
    assert learned["rows"].shape == (VIRTUAL, words.shape[1])
    assert not torch.allclose(learned["rows"], words[initial], atol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [{"packed_tokens": 64}, {"checkpoint_activations": True}],
    ids=str,
)
def test_how_a_step_is_computed_does_not_change_the_curve(
    tmp_path: Path, base: Path, straight: TinyRun, settings: dict[str, Any]
) -> None:
    run = trained(a_soft_run(tmp_path / "run", base, **settings))
    assert run.result(ONLY).loss == pytest.approx(straight.result(ONLY).loss, abs=1e-5)


@pytest.mark.parametrize("precision", ["single", "bfloat16"])
def test_a_run_that_was_stopped_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, base: Path, precision: str
) -> None:
    settings = {"precision": precision, "checkpoint_every": 4}
    straight = trained(a_soft_run(tmp_path / "straight", base, **settings))
    run = a_soft_run(tmp_path / "stopped", base, **settings)
    with pytest.raises(Stopped, match="stopped after step 5 of 9; started again, it goes on"):
        train(run.folder, ONLY, after(5))
    trained(run)
    assert run.result(ONLY).loss == straight.result(ONLY).loss
    assert torch.equal(run.learned(ONLY)["rows"], straight.learned(ONLY)["rows"])


def test_the_curve_is_that_of_pefts_prompt_tuning(base: Path, straight: TinyRun) -> None:
    """The same rows to begin with, before each sample alone; torch's AdamW, gradients clipped."""
    config = GeneratorSoftPromptConfig.from_settings(straight.folder.spec().settings)
    network, chats = open_base(base)
    initial = open_tokenizer(base)(INITIAL, add_special_tokens=False).input_ids[:VIRTUAL]
    rows = network.get_input_embeddings().weight[initial].detach().clone()
    tuning = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL)
    peft = get_peft_model(network, tuning)
    peft.prompt_encoder["default"].embedding.weight.data.copy_(rows)
    samples = tokenized([a_sample(at) for at in range(24)], chats, config).samples
    batches = Batches(samples, config)
    learning = [each for each in peft.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=config.learning_rate, weight_decay=0.0)
    losses = []
    for step in range(batches.steps):
        batch = batches.at(step)
        parts = [surprise(peft, sample, total_weight(batch)) for sample in batch]
        optimizer.zero_grad()
        sum(parts, torch.zeros(())).backward()
        torch.nn.utils.clip_grad_norm_(learning, config.clip)
        optimizer.param_groups[0]["lr"] = config.rate_at(step, batches.steps, ONLY)
        optimizer.step()
        losses.append(sum(part.item() for part in parts))
    assert straight.result(ONLY).loss == pytest.approx(losses, abs=1e-4)


def surprise(peft: torch.nn.Module, sample: TokenizedSample, weight: float) -> Tensor:
    ids = torch.tensor([sample.ids])
    logits = peft(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, VIRTUAL:]
    own = slice(len(sample.prompt) - 1, -1)
    targets = ids[0, len(sample.prompt) :]
    return completion_loss(logits[own], targets, torch.full((len(targets),), sample.weight), weight)


def test_the_candidate_is_a_whole_model_that_answers_as_what_was_trained(
    base: Path, straight: TinyRun
) -> None:
    write_candidate(straight.folder, WITH_SOFT_PROMPT)
    served, chats = open_base(straight.folder.candidate)
    soft = SoftPrompt.load(straight.folder.variant(ONLY) / "learned")
    network, _ = open_base(base)
    soften(network, soft.tokens, [0])
    network.get_input_embeddings().rows.data.copy_(soft.rows)
    row = pack(tokenized([a_sample(1)], chats, GeneratorSoftPromptConfig()).samples)
    assert tuple(row.ids[0, :VIRTUAL].tolist()) == soft.tokens
    with torch.no_grad():
        theirs, ours = (TrainableGenerator(each)(row) for each in (served, network))
    assert torch.allclose(theirs, ours, atol=1e-5)
    card = (straight.folder.candidate / "README.md").read_text()
    assert "variant soft-prompt" in card
    assert "library_name: transformers" in card


def test_no_text_makes_a_virtual_token(base: Path) -> None:
    tokenizer = open_tokenizer(base)
    virtual = reserve_tokens(tokenizer, VIRTUAL)
    forged = a_sample(1, user=tokenizer.convert_ids_to_tokens(virtual[0]), passages={})
    chats = ChatTokenizer(tokenizer)
    ids = tokenized([forged], chats, GeneratorSoftPromptConfig()).samples[0].ids
    assert [ids.count(token) for token in virtual] == [1] * VIRTUAL


def test_a_vocabulary_with_too_few_tokens_in_reserve_is_told(tmp_path: Path, base: Path) -> None:
    run = a_soft_run(tmp_path / "run", base, virtual_tokens=VIRTUAL + 2)
    with pytest.raises(FailedPrecondition, match=r"5 special tokens .*lower .*virtual_tokens"):
        trained(run)


def test_settings_of_other_recipes_are_refused() -> None:
    for name, value in (("rank", "4"), ("variant", "full")):
        with pytest.raises(InvalidInput, match=f"setting {name} is for recipes that train weights"):
            GeneratorSoftPromptConfig.from_settings({name: value})


async def test_verb_after_verb_it_becomes_a_version_that_is_judged(
    tmp_path: Path, base: Path
) -> None:
    stage = Stage(tmp_path)
    settings = {name: value for name, value in SETTINGS.items() if name != "rank"}
    settings |= {"virtual_tokens": str(VIRTUAL)}
    await stage.begin(base, recipe="soft-prompt", settings=settings)
    async with fake_generator({}) as generator:
        await prepare(stage.folder, stage.settings(generator.address))
    train(stage.folder, ONLY, never)
    await export(stage.folder, stage.settings())
    candidate = stage.folder.exported()
    assert candidate.settings["model"] == candidate.version == CANDIDATE
    assert "base" not in candidate.settings
    assert read_language_model(stage.folder.candidate).architecture == "llama"
    async with fake_generator({"tiny": wrong, CANDIDATE: right}) as generator:
        await compare(stage.folder, stage.settings(generator.address))
    assert stage.folder.verdict().decision is Decision.PASSED
