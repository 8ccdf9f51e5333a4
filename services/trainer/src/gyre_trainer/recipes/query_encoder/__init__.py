"""Recipe `query-encoder`: tunes the query side against the frozen vectors of the passages.

Reads from a run's folder (fields that are not named here are left alone):

- `run.json`: `settings` (text by name: the fields of `config.QueryEncoderConfig`), `base_folder`
  (the encoder to start from); `base_digest` (of its files), `data_set` (of
  `data_set/manifest.json`), `corpus_digest` (of `corpus.npy`) and `questions_digest` (of
  `questions.jsonl`), which are not checked where they are empty; the rest is for the card
- `data_set/manifest.json`, `data_set/train.jsonl`: the questions, their passages and labels
- `questions.jsonl`: what the questions say, by `tenant` and `question_id`
- `corpus.jsonl`, `corpus.npy`: the passages with who may find them, and their unit vectors in the
  same order
- `live.jsonl`: what live found for each question: `legs` of [chunk_id, bm25, dense, fused]

Writes, one variant at a time (`full`, `low-rank`), by `gyre_trainer.train`:

- `<variant>/checkpoints/step-<n>/`: weights, optimiser, position and random state; the last two
- `<variant>/config.json`: the settings, as printed
- `<variant>/tuned.safetensors`: the trained weights, merged, by the base's names; only those
- `<variant>/result.json`: `variant`, `steps`, `loss` (a curve), `tokens`, `seconds`,
  `cpu_seconds`, `validation` (quality by share of the tuned weights, both slices) and
  `chosen_share`; it is written last, so a variant that has it is finished
- lines of `progress.jsonl`

and then, by `export.export`: `candidate/`, a folder in the layout of sentence-transformers, with
`onnx/model.onnx`, a model card (`README.md`) and its figures (`card.json`).
"""

from gyre_common.events.releases import Roles

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.recipe import Recipe

QUERY_ENCODER = Recipe(
    name="query-encoder",
    role=Roles.QUERY_ENCODER,
    variants=tuple(Variant),
    check=QueryEncoderConfig.from_settings,
)
