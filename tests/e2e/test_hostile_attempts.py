"""A sample of what `make attack` tries, on the system that the other tests use."""

import pytest

from tests.attack.run import run
from tests.system import System

SEED, ATTEMPTS = 13, 500


@pytest.mark.timeout(600)
async def test_every_attempt_has_an_answer_and_neighbours_are_served(system: System) -> None:
    report = await run(system, seed=SEED, count=ATTEMPTS)
    assert len(report.outcomes) > ATTEMPTS * 0.8
    assert not report.broken, "\n".join(report.broken)
