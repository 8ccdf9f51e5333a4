"""Recipe `reward`: trains a judge on pairs of answers, of which people preferred one.

A run's folder holds, beside what every recipe has:

    inputs.json         where the base lies, and what it and the samples should be
    samples.jsonl       questions with their passages, the better answer and the worse one
    <variant>/          config.json, checkpoints, learned weights, result.json
    candidate/          the whole model as transformers keep it, the graph that serves it, cards
    scores-<who>.jsonl  what live and the candidate gave both answers of each held-out pair
    report.json         everything that the verdict rests on
"""

from gyre_common.events.releases import Roles

from gyre_trainer.language_models.config import Variant, base_of
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig, variants_of
from gyre_trainer.recipes.recipe import Recipe

REWARD = Recipe(
    name="reward",
    role=Roles.JUDGE.value,
    package=__name__,
    reads=(Roles.JUDGE.value, Roles.GENERATOR.value),
    starts_from=Roles.GENERATOR.value,
    check=JudgeRewardConfig.from_settings,
    base=base_of,
    variants=tuple(Variant),
    chosen=variants_of,
    deepspeed=True,
    packages=("torch", "deepspeed", "peft", "transformers", "gguf", "onnxruntime", "onnxscript"),
)
