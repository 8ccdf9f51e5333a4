"""Recipe `dpo`: trains a generator on pairs of answers, of which people preferred one.

It reads and writes what recipe `sft` does (`recipes/generator_sft/__init__.py`). A sample is a
prompt with the better answer and the worse one (`rejected`); held-out samples are those of `sft`.
`train` also writes `<variant>/reference.json`: the log-probabilities that the base gives both
answers of each pair.
"""

from gyre_common.events.releases import Roles

from gyre_trainer.language_models.config import Variant, base_of
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig, variants_of
from gyre_trainer.recipes.recipe import Recipe

DPO = Recipe(
    name="dpo",
    role=Roles.GENERATOR.value,
    package=__name__,
    reads=(Roles.GENERATOR.value, Roles.ANSWER_PROMPT.value),
    starts_from=Roles.GENERATOR.value,
    check=GeneratorDpoConfig.from_settings,
    base=base_of,
    variants=tuple(Variant),
    chosen=variants_of,
    deepspeed=True,
    packages=("torch", "deepspeed", "peft", "transformers", "gguf", "rouge_score"),
)
