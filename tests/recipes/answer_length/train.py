"""Verb `train`: gradient descent on the absolute error, one step after the other, each kept."""

import argparse
import json
import math
import sys
from pathlib import Path

from gyre_common.errors import FailedPrecondition, GyreError
from gyre_trainer.runs.failures import failure_line
from gyre_trainer.runs.folder import RunFolder, write_json

from tests.recipes.answer_length import Config
from tests.recipes.answer_length.pausing import pause


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--variant", required=True)
    options = parser.parse_args()
    folder = RunFolder(options.run)
    try:
        train(folder, options.variant)
    except GyreError as error:
        sys.stderr.write(f"error: {failure_line(error, folder.path.name)}\n")
        sys.exit(1)


def train(folder: RunFolder, variant: str) -> None:
    """From the lengths to `result.json`; raises FailedPrecondition when the loss is no number."""
    own, config = folder.variant(variant), Config.from_settings(folder.spec().settings)
    lengths = json.loads((folder.data_set / "train.json").read_text()).values()
    checkpoint = own / "position.json"
    position = {"step": 0, "words": 1.0}
    if checkpoint.exists():
        position = json.loads(checkpoint.read_text())
    first, words = int(position["step"]), position["words"]
    for step in range(first, config.steps):
        loss = sum(abs(words - each) for each in lengths) / len(lengths)
        gradient = sum(words - each for each in lengths) / len(lengths)
        words -= config.rate * gradient
        if not math.isfinite(words) or not math.isfinite(loss):
            raise FailedPrecondition(f"the loss is {loss} at step {step + 1}: lower the rate")
        write_json(checkpoint, {"step": step + 1, "words": words})
        folder.progress(variant, step + 1, config.steps, {"loss": loss})
        if step + 1 == config.steps // 2:
            pause(folder, "train")
    write_json(own / "result.json", {"words": words, "began_at": first})


if __name__ == "__main__":
    main()
