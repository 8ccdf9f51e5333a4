"""A process that a fault run hurts: consumes four topics and writes to a recording sink.

`python -m tests.faults.harness.consumer SERVERS RUN FOLDER NAME [--variant V] [--bug NAME]`
"""

import argparse
import asyncio
import random
import signal
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

from gyre_common.bus import Bus, Record
from gyre_common.bus.subscription import KafkaSubscription
from gyre_common.errors import Retryable

from tests.bus_contract import QUICK, MessageSent
from tests.faults.harness import doubles, seeded_bugs
from tests.faults.harness.shapes import register, topics_of
from tests.faults.harness.sink import FileRecorder

DELIVERY = replace(QUICK, commit_every=0.2, partition_records=100, read_ahead=2_000)
BUG, ENGINE_ERRORS = "bug", "engine-errors"
"""Files in the folder of the run; while one is there, the fault lasts."""

_BUG_HITS = 20
_ERROR_SHARE = 0.3


class FlaggedFailures:
    """Implements `Failures`: what the runner switches on by a file."""

    def __init__(self, folder: Path, recorder: FileRecorder) -> None:
        self._bug = folder / BUG
        self._errors = folder / ENGINE_ERRORS
        self._recorder = recorder

    async def before(self, records: Sequence[Record[MessageSent]]) -> None:
        """See `Failures`."""
        if self._bug.exists():
            acts = [str(each.event_id) for each in records]
            hit = [act for act in acts if crc32(act.encode()) % _BUG_HITS == 0]
            if hit:
                self._recorder.bug(hit)
                raise RuntimeError("a bug of the schedule")
        if self._errors.exists() and random.random() < _ERROR_SHARE:
            raise Retryable("an error of the schedule")

    async def after(self, records: Sequence[Record[MessageSent]]) -> None:
        """See `Failures`."""


def _note_handovers(recorder: FileRecorder) -> None:
    give_up = KafkaSubscription.on_partitions_revoked

    async def noted(self: KafkaSubscription, revoked: set[Any]) -> None:
        await give_up(self, revoked)
        recorder.gave_up(self._topics[0])

    KafkaSubscription.on_partitions_revoked = noted  # type: ignore[method-assign]


async def main(options: argparse.Namespace) -> None:
    recorder = FileRecorder(options.folder, options.name)
    failures = FlaggedFailures(options.folder, recorder)
    topics = topics_of(options.run)
    consuming: AbstractAsyncContextManager[Any]
    if options.variant == doubles.OURS:
        _note_handovers(recorder)
        bus = Bus(options.servers, service=options.name, delivery=DELIVERY)
        register(bus, topics, recorder, failures)
        consuming = bus
    else:
        open_double = doubles.VARIANTS[options.variant]
        consuming = open_double(options.servers, topics, recorder, failures)
    leaving = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
    async with consuming:
        await leaving.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers")
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--variant", choices=[doubles.OURS, *doubles.VARIANTS], default="ours")
    parser.add_argument("--bug", choices=sorted(seeded_bugs.BY_NAME))
    return parser.parse_args()


if __name__ == "__main__":
    options = _options()
    if options.bug:
        seeded_bugs.BY_NAME[options.bug].install()
    asyncio.run(main(options))
