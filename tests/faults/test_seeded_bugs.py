"""The harness bites: it is silent over the delivery layer, and not over one with a bug."""

import logging
import os
from collections.abc import Iterator

import pytest

from tests.faults.harness.memory_run import Run, run_once
from tests.faults.harness.seeded_bugs import BUGS, Change, LineGone, SeededBug

pytestmark = pytest.mark.faults

ACTIONS, KILLS = 250, 3
SOME_BUGS = BUGS if "GYRE_FAULTS" in os.environ else BUGS[::3]
"""All of them in `make faults`: a minute."""

SEEDS = range(7, 13)
"""A bug that one run does not meet, another one does; a run is a second."""

STANDSTILL = 1.5
"""Seconds after which a run over a bug that holds everything up is ended."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Each of these runs logs some thousand errors, by right."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_clean_run_raises_no_alarm(seed: int) -> None:
    run = await run_once(seed, ACTIONS, KILLS)
    assert (run.verdict().broken, run.problems) == ({}, [])
    assert run.kills_with_work == KILLS


@pytest.mark.parametrize("bug", SOME_BUGS, ids=lambda bug: bug.name)
async def test_a_seeded_bug_is_caught(bug: SeededBug) -> None:
    seen = []
    for seed in SEEDS:
        with bug.installed():
            run = await run_once(seed, ACTIONS, KILLS, patience=STANDSTILL)
        seen.append(broken_lists(run))
        if bug.caught_as in seen[-1]:
            return
    pytest.fail(f"{bug.name} was judged {seen}, not {bug.caught_as}")


def broken_lists(run: Run) -> list[str]:
    return [*run.verdict().broken, *(["problems"] if run.problems else [])]


def test_a_bug_for_a_line_that_is_gone_is_refused() -> None:
    change = Change("partition:Partition.finish", "self.watermark = offset + 7", "pass")
    with pytest.raises(LineGone, match=r"Partition\.finish does not have this line"):
        SeededBug("odd", (change,), "lost").install()
