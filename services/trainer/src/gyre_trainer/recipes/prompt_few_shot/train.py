"""Verb `train`: curates examples; nothing is computed that could be interrupted half-way.

    python -m gyre_trainer.recipes.prompt_few_shot.train --run FOLDER --variant examples

A failure is one line, `error: …`, and exit status 1.
"""

import argparse
import sys
from pathlib import Path

from gyre_common.errors import FailedPrecondition, GyreError
from gyre_common.prompt_examples import EXAMPLES_FILE, write_examples

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.recipes.prompt_few_shot.config import FewShotConfig
from gyre_trainer.recipes.prompt_few_shot.curation import curate
from gyre_trainer.runs.failures import failure_line
from gyre_trainer.runs.folder import RunFolder, write_json


def main() -> None:
    """Read the options and curate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--variant", required=True)
    options = parser.parse_args()
    try:
        train(RunFolder(options.run), options.variant)
    except GyreError as error:
        sys.stderr.write(f"error: {failure_line(error, options.run.absolute().name)}\n")
        sys.exit(1)


def train(folder: RunFolder, variant: str) -> None:
    """From what people wrote to `<variant>/result.json`. Raises FailedPrecondition: no answer can
    be an example.
    """
    data, own = RunData(folder), folder.variant(variant)
    config = FewShotConfig.from_settings(data.spec.settings)
    # Neither what is judged by nor what is kept for choosing is ever shown.
    curated = curate(data.samples(DataSetPart.FIT), config)
    if not curated.examples:
        reasons = "; ".join(f"{count} left out ({why})" for why, count in curated.left_out.items())
        raise FailedPrecondition(f"no answer can be an example: {reasons}; correct more answers")
    own.mkdir(parents=True, exist_ok=True)
    write_examples(own / EXAMPLES_FILE, curated.examples)
    folder.progress(variant, 1, 1, {"examples": len(curated.examples)})
    counts = {"examples": len(curated.examples), "left_out": curated.left_out}
    write_json(own / "result.json", counts)


if __name__ == "__main__":
    main()
