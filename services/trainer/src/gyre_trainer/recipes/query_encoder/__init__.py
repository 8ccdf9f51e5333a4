"""Recipe `query-encoder`: tunes the query side against the frozen vectors of the passages.

`prepare` writes, and the others read:

- `inputs.json`: where the base model lies, and digests of it, the data set and the vectors
- `data_set/`: references to the questions, their passages and labels; of `train.jsonl` a part
  validates
- `questions.jsonl`: what the questions say, by `tenant` and `question_id`
- `corpus.jsonl`, `corpus.npy`: the passages with who may find them, and their unit vectors in the
  same order
- `live.jsonl`: what live found for each question: `legs` of [chunk_id, bm25, dense, fused]

`train` writes, one variant at a time (`full`, `low-rank`):

- `<variant>/checkpoints/step-<n>/`: weights, optimiser, position and random state; the last two
- `<variant>/config.json`: the settings, as printed
- `<variant>/tuned.safetensors`: the trained weights, merged, by the base's names; only those
- `<variant>/result.json`: `variant`, `steps`, `loss` (a curve), `tokens`, `seconds`,
  `cpu_seconds`, `validation` (quality by share of the tuned weights, both slices) and
  `chosen_share`; it is written last, so a variant that has it is finished

`export` writes `candidate/`, a folder in the layout of sentence-transformers with a model card
(`README.md`) and its figures (`card.json`), and puts it into the store. `compare` asks live and
candidate the held-out questions and writes `report.json` and the verdict.
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
