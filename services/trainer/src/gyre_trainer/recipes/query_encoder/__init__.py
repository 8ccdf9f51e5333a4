"""Recipe `query-encoder`: tunes the query side against the frozen vectors of the passages.

`prepare` writes `inputs.json`, `data_set/`, `questions.jsonl`, `corpus.jsonl` with `corpus.npy`
(unit vectors in the same order) and `live.jsonl`, all as `inputs` reads them.

`train` writes a folder for each variant: `config.json`, `checkpoints/step-<n>/` (the last two),
`tuned.safetensors` (what was trained, merged, by the base's names) and, when it is finished,
`result.json`. `export` writes `candidate/` in the layout of sentence-transformers, with a model
card (`README.md`) and its figures (`card.json`), and puts it into the store. `compare` asks live
and candidate the held-out questions and writes `report.json` and the verdict.
"""

from gyre_common.events.releases import Roles

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.query_encoder.report import verdict_in
from gyre_trainer.recipes.recipe import Recipe

TRAIN_MODULE = f"{__name__}.train"

QUERY_ENCODER = Recipe(
    name="query-encoder",
    role=Roles.QUERY_ENCODER.value,
    package=__name__,
    reads=(Roles.QUERY_ENCODER.value, Roles.DOCUMENT_ENCODER.value, Roles.RETRIEVAL.value),
    starts_from=Roles.DOCUMENT_ENCODER.value,
    check=QueryEncoderConfig.from_settings,
    variants=tuple(Variant),
    deepspeed=True,
    verdict_in=verdict_in,
    packages=("torch", "deepspeed", "onnxscript"),
)
