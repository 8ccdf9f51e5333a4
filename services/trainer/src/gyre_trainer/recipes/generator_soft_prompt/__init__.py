"""Recipe `soft-prompt`: trains a few vectors before the prompt on what people wrote or liked.

It reads and writes what recipe `sft` does (`recipes/generator_sft/__init__.py`), with one variant,
`soft-prompt`, of which `learned/` holds `soft_prompt.safetensors`: the trained rows, and the tokens
of the vocabulary that they stand for. `candidate/` is the base with these rows in its embeddings
and these tokens in its chat template, a whole model: any engine that serves the base serves it.
"""

from gyre_common.events.releases import Roles

from gyre_trainer.language_models.config import base_of
from gyre_trainer.recipes.generator_soft_prompt.config import (
    GeneratorSoftPromptConfig,
    SoftPromptVariant,
)
from gyre_trainer.recipes.recipe import Recipe

SOFT_PROMPT = Recipe(
    name="soft-prompt",
    role=Roles.GENERATOR.value,
    package=__name__,
    reads=(Roles.GENERATOR.value, Roles.ANSWER_PROMPT.value),
    starts_from=Roles.GENERATOR.value,
    check=GeneratorSoftPromptConfig.from_settings,
    base=base_of,
    variants=tuple(SoftPromptVariant),
    deepspeed=True,
    packages=("torch", "deepspeed", "peft", "transformers", "gguf", "rouge_score"),
)
