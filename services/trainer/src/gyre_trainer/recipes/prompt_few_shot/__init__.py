"""Recipe `few-shot`: answers that people wrote become examples in the answer prompt.

`prepare` writes `data_set/`, `samples.jsonl` (a question with what was read for it, and what should
have been answered) and `inputs.json`, as `language_models/inputs.py` reads them. `train` curates,
without a model: `examples/examples.jsonl` and, last, `examples/result.json`, which counts what was
left out. `export` writes `candidate/`: the examples and a card (`card.json`, `README.md`), and puts
it into the store. `compare` lets the live generator answer the held-out questions with the live
prompt and with the candidate (`answers-live.jsonl`, `answers-candidate.jsonl`) and writes
`report.json` and the verdict.
"""

from gyre_common.events.releases import Roles

from gyre_trainer.recipes.prompt_few_shot.config import CURATED, FewShotConfig, base_of
from gyre_trainer.recipes.recipe import Recipe

FEW_SHOT = Recipe(
    name="few-shot",
    role=Roles.ANSWER_PROMPT.value,
    package=__name__,
    reads=(Roles.GENERATOR.value, Roles.ANSWER_PROMPT.value),
    starts_from=Roles.ANSWER_PROMPT.value,
    check=FewShotConfig.from_settings,
    base=base_of,
    variants=(CURATED,),
)
