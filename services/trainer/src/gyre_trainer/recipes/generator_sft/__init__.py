"""Recipe `sft`: trains a generator on answers that people wrote or liked.

`prepare` writes `data_set/`, `samples.jsonl` (a prompt as it was put to a model, and what should
have been answered) and `inputs.json`, all as `language_models/inputs.py` reads them.

`train` writes a folder for the variant: `config.json`, `checkpoints/step-<n>/` (the last two),
`learned/` (PEFT's adapter, or the whole model) and, when it is finished, `result.json`. `export`
writes `candidate/`: the adapter with the name and the digest of its base, or the model with its
tokenizer, and a model card (`README.md`) with its figures (`card.json`); and puts it into the
store. `compare` lets live and candidate answer the held-out questions (`answers-live.jsonl`,
`answers-candidate.jsonl`) and writes `report.json` and the verdict.
"""

from gyre_common.events.releases import Roles

from gyre_trainer.language_models.config import Variant, base_of
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig, variants_of
from gyre_trainer.recipes.recipe import Recipe

SFT = Recipe(
    name="sft",
    role=Roles.GENERATOR.value,
    package=__name__,
    reads=(Roles.GENERATOR.value, Roles.ANSWER_PROMPT.value),
    starts_from=Roles.GENERATOR.value,
    check=GeneratorSftConfig.from_settings,
    base=base_of,
    variants=tuple(Variant),
    chosen=variants_of,
    deepspeed=True,
    packages=("torch", "deepspeed", "peft", "transformers", "gguf", "rouge_score"),
)
