"""Learning from rewards: the loss by hand and beside TRL's, and answers that get better."""

import json
import math
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.releases import Artifact
from gyre_common.events.training import Decision
from gyre_common.model_folders import keep_model
from gyre_common.reward_input import FRAME
from gyre_common.store import Store
from gyre_trainer.language_models.batches import pack
from gyre_trainer.language_models.chat import ChatTokenizer
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.inputs import RunData, folder_digest
from gyre_trainer.language_models.model import TrainableGenerator, learning_network, open_base
from gyre_trainer.recipes.generator_grpo import train as grpo_program
from gyre_trainer.recipes.generator_grpo.compare import compare
from gyre_trainer.recipes.generator_grpo.config import GeneratorGrpoConfig
from gyre_trainer.recipes.generator_grpo.export import export
from gyre_trainer.recipes.generator_grpo.loss import divergence, group_advantages, grpo_loss
from gyre_trainer.recipes.generator_grpo.prepare import prepare
from gyre_trainer.recipes.generator_grpo.reward_model import RewardFiles, reward_file
from gyre_trainer.recipes.generator_grpo.rollouts import (
    Group,
    of_tokens,
    token_log_probabilities,
)
from gyre_trainer.recipes.generator_grpo.train import train
from gyre_trainer.runs.folder import write_json
from gyre_trainer.training.program import Stopped
from peft import TaskType
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaForSequenceClassification
from transformers.models.llama import LlamaConfig

from tests.fakes.generator import fake_generator
from tests.training.answer_runs import CANDIDATE, Stage, right, wrong
from tests.training.answer_runs import SETTINGS as RUN_SETTINGS
from tests.training.matrix import LONG
from tests.training.tiny_generators import TinyRun, a_run, a_tokenizer
from tests.training.tiny_runs import never
from tests.unit.trainer.training_facts import MORNING

LIKED = "e"
SETTINGS: dict[str, Any] = {
    "reward": "likes-e",
    "group": 4,
    "completion_tokens": 8,
    "low_rank_learning_rate": 2e-2,
    "epochs": 2,
}


def a_reward_model(folder: Path) -> Path:
    """The more often it reads one letter, the higher its reward: every token looks at all alike,
    and that letter has a number of its own, which is what the head reads.
    """
    config = LlamaConfig(
        vocab_size=len(a_tokenizer()),
        hidden_size=32,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=512,
        num_labels=1,
        pad_token_id=0,
    )
    torch.manual_seed(1)
    model = LlamaForSequenceClassification(config)
    (layer,) = model.model.layers
    with torch.no_grad():
        words = torch.nn.init.normal_(model.model.embed_tokens.weight)
        words[:, :2] = 0
        (letter,) = a_tokenizer()(LIKED, add_special_tokens=False).input_ids
        words[letter] = 0
        words[letter, 0] = 1
        for matrix in (layer.self_attn.q_proj, layer.self_attn.v_proj, layer.self_attn.o_proj):
            matrix.weight.zero_()
        layer.self_attn.v_proj.weight[0, 0] = layer.self_attn.o_proj.weight[1, 0] = 1
        layer.mlp.down_proj.weight.zero_()
        model.score.weight.zero_()
        model.score.weight[0, 1] = 1
    model.save_pretrained(folder)
    a_tokenizer().save_pretrained(folder)
    write_json(folder / FRAME, ChatTokenizer(a_tokenizer()).frame(512))
    return folder


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_reward_model(tmp_path_factory.mktemp("reward") / "model")


def a_grpo_run(path: Path, base: Path, reward_model: Path, **settings: Any) -> TinyRun:
    run = a_run(path, base, **(SETTINGS | settings))
    digest = folder_digest(reward_model)
    files = RewardFiles(version="likes-e", folder=str(reward_model), digest=digest)
    write_json(reward_file(run.folder), files)
    return run


def trained(run: TinyRun) -> TinyRun:
    train(run.folder, Variant.LOW_RANK, never)
    return run


def after(step: int) -> Callable[[], bool]:
    """A stop signal that is given in a certain step."""
    steps = count(1)
    return lambda: next(steps) >= step


def reported_metric(run: TinyRun, name: str) -> list[float]:
    lines = run.folder.progress_file.read_text().splitlines()
    return [json.loads(line)["metrics"][name] for line in lines]


def test_an_answer_is_as_good_as_it_is_better_than_its_group() -> None:
    advantages = group_advantages(torch.tensor([[1.0, 3.0], [2.0, 2.0]]))
    spread = math.sqrt(2) + 1e-4
    assert advantages[0].tolist() == pytest.approx([-1 / spread, 1 / spread])
    assert advantages[1].tolist() == [0, 0]


def test_the_divergence_is_zero_where_nothing_has_moved_and_never_below() -> None:
    policy = torch.tensor([-1.0, -1.0, -1.0])
    values = divergence(policy, torch.tensor([-1.0, -1.0 + math.log(2), -1.0 - math.log(2)]))
    assert values.tolist() == pytest.approx([0, 2 - math.log(2) - 1, 0.5 + math.log(2) - 1])


def test_the_loss_is_what_the_equation_says() -> None:
    """Ratios of 2 and a half: the first gain is cut at 1.2, the second at 0.8."""
    policy = torch.tensor([math.log(0.4), math.log(0.1), math.log(0.2)])
    written = torch.tensor([math.log(0.2), math.log(0.2), math.log(0.2)])
    advantages = torch.tensor([1.0, -1.0, 0.5])
    weights = torch.tensor([0.25, 0.25, 0.5])
    reference = policy + torch.tensor([0.0, 0.0, math.log(2)])
    loss = grpo_loss(policy, written, reference, advantages, weights, beta=0.1, clip_range=0.2)
    kl_penalty = 0.1 * 0.5 * (2 - math.log(2) - 1)
    assert loss.item() == pytest.approx(-(0.25 * 1.2 - 0.25 * 0.8 + 0.5 * 0.5) + kl_penalty)


def test_the_mean_reward_rises(
    tmp_path: Path, tiny_language_model: Path, reward_model: Path
) -> None:
    run = trained(a_grpo_run(tmp_path / "run", tiny_language_model, reward_model, epochs=10))
    rewards = reported_metric(run, "reward")
    assert len(rewards) == 30
    assert min(rewards[-5:]) > max(rewards[:5])
    assert reported_metric(run, "kl")[0] == pytest.approx(0, abs=1e-6)
    assert reported_metric(run, "kl")[-1] > 0
    before, now = run.result().validation.before, run.result().validation.after
    assert before is not None
    assert now is not None
    assert now < before


@pytest.mark.parametrize("precision", ["single", pytest.param("bfloat16", marks=LONG)])
def test_a_run_that_was_stopped_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, tiny_language_model: Path, reward_model: Path, precision: str
) -> None:
    """It also writes the same answers."""
    settings = {"precision": precision, "checkpoint_every": 2, "dropout": 0.1}
    straight = trained(
        a_grpo_run(tmp_path / "straight", tiny_language_model, reward_model, **settings)
    )
    run = a_grpo_run(tmp_path / "stopped", tiny_language_model, reward_model, **settings)
    with pytest.raises(Stopped, match="stopped after step 3 of 6; started again, it goes on"):
        train(run.folder, Variant.LOW_RANK, after(3))
    trained(run)
    assert reported_metric(run, "reward") == reported_metric(straight, "reward")
    assert run.result().loss == straight.result().loss
    learned = run.learned()
    assert all(torch.equal(learned[k], value) for k, value in straight.learned().items())


def test_a_reward_model_that_changed_since_the_run_began_is_refused(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    reward_model = a_reward_model(tmp_path / "reward")
    run = a_grpo_run(tmp_path / "run", tiny_language_model, reward_model)
    (reward_model / "config.json").write_text("{}")
    with pytest.raises(FailedPrecondition, match=r"reward model .* has changed"):
        trained(run)


def test_a_version_that_is_no_reward_model_is_refused(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    run = a_grpo_run(tmp_path / "run", tiny_language_model, tmp_path / "nothing")
    (tmp_path / "nothing").mkdir()
    write_json(
        reward_file(run.folder),
        RewardFiles(
            version="likes-e",
            folder=str(tmp_path / "nothing"),
            digest=folder_digest(tmp_path / "nothing"),
        ),
    )
    with pytest.raises(FailedPrecondition, match="likes-e"):
        trained(run)


def test_settings_say_who_rewards_and_leave_the_base_as_it_is() -> None:
    with pytest.raises(InvalidInput, match=r"setting reward is missing: name a version"):
        GeneratorGrpoConfig.from_settings({})
    with pytest.raises(InvalidInput, match=r"setting variant cannot be that .*only low-rank"):
        GeneratorGrpoConfig.from_settings({"reward": "r", "variant": "full"})


def test_the_loss_is_that_of_trl(tmp_path: Path, tiny_language_model: Path) -> None:
    datasets, trl = pytest.importorskip("datasets"), pytest.importorskip("trl")
    network, _ = open_base(tiny_language_model)
    settings = trl.GRPOConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        report_to="none",
        loss_type="grpo",
        beta=0.3,
        epsilon=0.2,
        use_bias_correction_kl=False,
        num_generations=2,
        per_device_train_batch_size=2,
        gradient_checkpointing=False,
    )
    trainer = trl.GRPOTrainer(
        model=network,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=settings,
        train_dataset=datasets.Dataset.from_list([{"prompt": "x"}] * 2),
        processing_class=a_tokenizer(),
    )
    draw = torch.Generator().manual_seed(5)
    prompt = torch.randint(3, 200, (9,), generator=draw)
    answers = torch.randint(3, 200, (2, 6), generator=draw)
    written, reference = (-4 * torch.rand((2, 6), generator=draw) - 3 for _ in range(2))
    advantages = torch.tensor([0.7, -0.7])
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    trainer.current_gradient_accumulation_steps = 1
    with torch.no_grad():
        theirs = trainer._compute_loss(
            trainer.model,
            {
                "prompt_ids": prompt.expand(2, -1),
                "prompt_mask": torch.ones((2, 9), dtype=torch.long),
                "completion_ids": answers,
                "completion_mask": mask,
                "advantages": advantages,
                "old_per_token_logps": written,
                "ref_per_token_logps": reference,
            },
        )
    ids = [tuple(each[:length].tolist()) for each, length in zip(answers, (6, 4), strict=True)]
    group = Group(
        ids=(*prompt.tolist(), *ids[0]),
        completion=6,
        others=(ids[1],),
        advantages=tuple(advantages.tolist()),
    )
    row = pack([group])
    of_each, weights = of_tokens([group], 2, torch.device("cpu"))
    network, _ = open_base(tiny_language_model)
    with torch.no_grad():
        policy = token_log_probabilities(TrainableGenerator(network)(row), row)
    ours = grpo_loss(
        policy,
        written[mask.bool()],
        reference[mask.bool()],
        of_each,
        weights,
        beta=0.3,
        clip_range=0.2,
    )
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_the_curve_is_that_of_trl(
    tmp_path: Path,
    tiny_language_model: Path,
    reward_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its trainer learns from the answers that ours drew, step by step. What is left of the loss is
    the divergence, as the advantages of a group add up to nothing.
    """
    seen: list[tuple[int, Group]] = []

    def recorded(groups: Sequence[Group], answers: int, device: torch.device) -> Any:
        seen.extend((answers, group) for group in groups)
        return of_tokens(groups, answers, device)

    monkeypatch.setattr(grpo_program, "of_tokens", recorded)
    settings = {"warm_up": 0.0, "beta": 0.3, "low_rank_learning_rate": 3e-3, "epochs": 3}
    run = trained(a_grpo_run(tmp_path / "run", tiny_language_model, reward_model, **settings))
    config = GeneratorGrpoConfig.from_settings(run.folder.spec().settings)
    theirs = trl_trainer(run, config, steps_of(seen, config.group), tmp_path / "trl")
    theirs.train()
    assert theirs.losses[0] == pytest.approx(0, abs=1e-5)
    assert theirs.losses[-1] > 1e-4
    assert run.result().loss == pytest.approx(theirs.losses, rel=0.02, abs=1e-5)
    learned = run.learned()
    for name, value in theirs.model.named_parameters():
        if value.requires_grad:
            ours = learned[name.replace(".default", "")]
            assert torch.allclose(ours, value, atol=1e-4), name


def steps_of(seen: Sequence[tuple[int, Group]], size: int) -> list[list[Group]]:
    """The groups of each step."""
    left, steps = list(seen), []
    while left:
        answers, _ = left[0]
        steps.append([group for _, group in left[: answers // size]])
        del left[: answers // size]
    return steps


def trl_trainer(
    run: TinyRun, config: GeneratorGrpoConfig, steps: Sequence[Sequence[Group]], output: Path
) -> Any:
    """TRL's, from the same beginning, with every number that the recipe has set alike."""
    datasets, trl = pytest.importorskip("datasets"), pytest.importorskip("trl")
    base, _ = open_base(RunData(run.folder).base_folder)
    torch.manual_seed(config.seed)
    network = learning_network(base, config, Variant.LOW_RANK, TaskType.CAUSAL_LM)
    settings = trl.GRPOConfig(
        output_dir=str(output),
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        gradient_checkpointing=False,
        loss_type="grpo",
        beta=config.beta,
        epsilon=config.clip_range,
        use_bias_correction_kl=False,
        num_generations=2,
        per_device_train_batch_size=2,
        max_steps=len(steps),
        learning_rate=config.low_rank_learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0,
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        logging_steps=1,
    )
    coming = iter(steps)

    class FromOurAnswers(trl.GRPOTrainer):  # type: ignore[misc, name-defined]
        losses: ClassVar[list[float]] = []

        def compute_loss(self, *args: Any, **named: Any) -> Any:
            loss = super().compute_loss(*args, **named)
            self.losses.append(loss.item())
            return loss

        def _prepare_inputs(self, _: Any) -> dict[str, Any]:
            rows = as_rows(next(coming))
            with torch.no_grad(), self.model.disable_adapter():
                reference, *_ = self._get_per_token_logps_and_entropies(
                    self.model,
                    torch.cat((rows["prompt_ids"], rows["completion_ids"]), dim=1),
                    torch.cat((rows["prompt_mask"], rows["completion_mask"]), dim=1),
                    rows["completion_ids"].shape[1],
                )
            return {**rows, "ref_per_token_logps": reference}

    return FromOurAnswers(
        model=network,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=settings,
        train_dataset=datasets.Dataset.from_list([{"prompt": "x"}] * 2 * len(steps)),
        processing_class=a_tokenizer(),
    )


def as_rows(groups: Sequence[Group]) -> dict[str, Any]:
    """A row an answer: prompts end together, and answers begin together."""
    pairs = [(group.prompt, answer) for group in groups for answer in group.answers]
    prompts, answers = ([torch.tensor(ids) for ids in side] for side in zip(*pairs, strict=True))

    def padded(rows: list[torch.Tensor], side: str) -> torch.Tensor:
        return pad_sequence(rows, batch_first=True, padding_side=side)

    return {
        "prompt_ids": padded(prompts, "left"),
        "prompt_mask": padded([torch.ones_like(ids) for ids in prompts], "left"),
        "completion_ids": padded(answers, "right"),
        "completion_mask": padded([torch.ones_like(ids) for ids in answers], "right"),
        "advantages": torch.tensor([each for group in groups for each in group.advantages]),
    }


async def test_verb_after_verb_it_becomes_a_version_that_is_judged(
    tmp_path: Path, tiny_language_model: Path, reward_model: Path
) -> None:
    stage = Stage(tmp_path)
    stored = await keep_model(Store(stage.store_url), reward_model)
    fields = {"version": "likes-e", "digest": stored.digest, "uri": stored.uri}
    reward = Artifact(settings={"method": "reward"}, registered_at=MORNING, **fields)
    settings = {**RUN_SETTINGS, "reward": "likes-e", "group": "2", "completion_tokens": "4"}
    await stage.begin(
        tiny_language_model, recipe="grpo", settings=settings, named={"reward": reward}
    )
    async with fake_generator({}) as generator:
        await prepare(stage.folder, stage.settings(generator.address))
    train(stage.folder, Variant.LOW_RANK, never)
    await export(stage.folder, stage.settings())
    candidate = stage.folder.exported()
    assert (candidate.version, candidate.settings["base"]) == (CANDIDATE, "tiny")
    readme = (stage.folder.candidate / "README.md").read_text()
    assert "rewards of answers that it wrote itself" in readme
    async with fake_generator({"tiny": wrong, CANDIDATE: right}) as generator:
        await compare(stage.folder, stage.settings(generator.address))
    assert stage.folder.verdict().decision is Decision.PASSED


async def test_a_version_of_the_judge_that_gives_no_rewards_is_refused(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    stage, digest = Stage(tmp_path), "sha256:" + "a" * 64
    judge = Artifact(
        version="plain", digest=digest, settings={"method": "baseline"}, registered_at=MORNING
    )
    settings = {**RUN_SETTINGS, "reward": "plain"}
    await stage.begin(
        tiny_language_model, recipe="grpo", settings=settings, named={"reward": judge}
    )
    with pytest.raises(FailedPrecondition, match="plain is no reward version: name one"):
        await prepare(stage.folder, stage.settings())
