"""Verb `compare`: how far live's and the candidate's number are from what people wrote."""

import json

from gyre_common.events.training import Decision, Slice, Verdict
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.settings import TrainerSettings
from gyre_trainer.training.bootstrap import paired

from tests.recipes.answer_length import WORDS
from tests.recipes.answer_length.pausing import pause

UNLIMITED = 100


async def compare(folder: RunFolder, settings: TrainerSettings) -> None:
    """It passes when it is nearer, surely."""
    spec, exported = folder.spec(), folder.exported()
    before = int(spec.live[spec.role].settings.get(WORDS, UNLIMITED))
    after = int(exported.settings[WORDS])
    lengths = list(json.loads((folder.data_set / "held_out.json").read_text()).values())
    live = [-abs(before - each) for each in lengths]
    candidate = [-abs(after - each) for each in lengths]
    gains = [float(new - old) for new, old in zip(candidate, live, strict=True)]
    gain = paired(gains, [1.0] * len(gains), [str(at) for at in range(len(gains))])
    pause(folder, "compare")
    passed = gain.low > 0
    whole = Slice(
        name="overall",
        examples=len(gains),
        live=sum(live) / len(live),
        candidate=sum(candidate) / len(candidate),
        difference=gain.difference,
        low=gain.low,
        high=gain.high,
    )
    verdict = Verdict(
        metric="words nearer to what people wrote",
        decision=Decision.PASSED if passed else Decision.REFUSED,
        summary=f"{after} words instead of {before}: {gain.difference:+.1f}",
        reasons=() if passed else (f"no gain: {gain.difference:+.1f} words",),
        slices=(whole,),
    )
    write_json(folder.verdict_file, verdict)
