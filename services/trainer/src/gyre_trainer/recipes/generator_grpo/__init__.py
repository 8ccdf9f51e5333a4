"""Recipe `grpo`: a generator writes answers itself, and learns from the rewards that they get.

It reads and writes what recipe `sft` does (`recipes/generator_sft/__init__.py`); of the samples it
uses the questions. `prepare` also writes `reward.json`: the reward version, where its model lies,
and the digest of that.
"""

from types import MappingProxyType

from gyre_common.events.releases import Roles

from gyre_trainer.language_models.config import Variant, base_of
from gyre_trainer.recipes.generator_grpo.config import REWARD, GeneratorGrpoConfig
from gyre_trainer.recipes.recipe import Recipe

GRPO = Recipe(
    name="grpo",
    role=Roles.GENERATOR.value,
    package=__name__,
    reads=(Roles.GENERATOR.value, Roles.ANSWER_PROMPT.value, Roles.JUDGE.value),
    starts_from=Roles.GENERATOR.value,
    check=GeneratorGrpoConfig.from_settings,
    base=base_of,
    names=MappingProxyType({REWARD: Roles.JUDGE.value}),
    variants=(Variant.LOW_RANK.value,),
    deepspeed=True,
    packages=("torch", "deepspeed", "peft", "transformers", "gguf", "rouge_score"),
)
