"""Recipe `kto`: trains a generator on answers that should be given, and on some that should not.

It reads and writes what recipe `sft` does (`recipes/generator_sft/__init__.py`). A sample is a
prompt with an answer, and its row says whether that is `desirable`; held-out samples are those of
`sft`. `train` also writes `<variant>/reference.json`: the log-probabilities that the base gives
each answer, and the answer to another question that is set beside it.
"""

from gyre_common.events.releases import Roles

from gyre_trainer.language_models.config import Variant, base_of
from gyre_trainer.recipes.generator_kto.config import GeneratorKtoConfig, variants_of
from gyre_trainer.recipes.recipe import Recipe

KTO = Recipe(
    name="kto",
    role=Roles.GENERATOR.value,
    package=__name__,
    reads=(Roles.GENERATOR.value, Roles.ANSWER_PROMPT.value),
    starts_from=Roles.GENERATOR.value,
    check=GeneratorKtoConfig.from_settings,
    base=base_of,
    variants=tuple(Variant),
    chosen=variants_of,
    deepspeed=True,
    packages=("torch", "deepspeed", "peft", "transformers", "gguf", "rouge_score"),
)
