"""Verb `prepare`: the lengths of corrections, a quarter of them held out."""

import hashlib
import json

from gyre_common.errors import FailedPrecondition
from gyre_common.store import Shelf, digest_of
from gyre_trainer.runs.folder import Prepared, RunFolder, write_json
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.settings import TrainerSettings

from tests.recipes.answer_length.pausing import pause

LEAST = 8


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises FailedPrecondition when there are too few corrections."""
    spec = folder.spec()
    segments = Segments(Shelf(settings.store_url, FOLDER))
    lengths: dict[str, int] = {}
    async for facts in segments.facts(spec.window, spec.tenant):
        for word in facts.feedback:
            if word.kind == "correction":
                lengths[word.interaction_id] = len(word.value.split())
    if len(lengths) < LEAST:
        raise FailedPrecondition(
            f"{len(lengths)} corrections are too few to learn a length from: collect {LEAST}"
        )
    pause(folder, "prepare")
    folder.data_set.mkdir(exist_ok=True)
    sides: dict[str, dict[str, int]] = {"train": {}, "held_out": {}}
    for interaction_id, words in sorted(lengths.items()):
        held_out = hashlib.sha256(interaction_id.encode()).digest()[0] < 64
        sides["held_out" if held_out else "train"][interaction_id] = words
    for name, rows in sides.items():
        write_json(folder.data_set / f"{name}.json", rows)
    digest = digest_of(json.dumps(sides, sort_keys=True).encode())
    window = {place: f"{first}-{end}" for place, (first, end) in spec.window.items()}
    write_json(folder.prepared_file, Prepared(data_set=digest, window=window, votes=len(lengths)))
