"""A short run of the harness on a real broker: silent over the delivery layer, not over doubles."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gyre_local.testing import LocalEngines, engines

from tests.faults.harness.delivery_run import CONSUMERS, DeliveryRun, Settings
from tests.faults.harness.schedule import FaultKind, Plan

pytestmark = [pytest.mark.faults, pytest.mark.integration]

SHORT = [
    Plan(FaultKind.KILL, 2, CONSUMERS),
    Plan(FaultKind.POISON, 1, ["every topic"]),
    Plan(FaultKind.HOSTILE, 1, ["every topic"]),
    Plan(FaultKind.DUPLICATES, 1, ["the last acts"]),
    Plan(FaultKind.ENGINE_ERRORS, 1, ["the sink"], duration=1.0),
]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngines]:
    with engines(tmp_path_factory.mktemp("delivery")) as running:
        running.start("kafka")
        yield running


@pytest.mark.timeout(300)
def test_a_short_run_over_the_delivery_layer_keeps_every_promise(
    kafka: LocalEngines, tmp_path: Path
) -> None:
    settings = Settings(seed=7, actions=1_500, kills=2, folder=tmp_path, plans=SHORT)
    report = asyncio.run(DeliveryRun(settings, kafka).run())
    assert report.passed, report.to_markdown()
    assert [each.with_work for each in report.by_kind if each.kind is FaultKind.KILL] == [2]


@pytest.mark.skipif("GYRE_FAULTS" not in os.environ, reason="make faults: half a minute each")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("variant", ["faststream-default", "nack-on-error", "drops-after-three"])
def test_a_consumer_that_does_not_keep_the_promise_is_caught(
    kafka: LocalEngines, tmp_path: Path, variant: str
) -> None:
    settings = Settings(
        seed=7, actions=1_500, kills=2, folder=tmp_path, plans=SHORT, variant=variant, patience=15.0
    )
    report = asyncio.run(DeliveryRun(settings, kafka).run())
    assert any("is not in sink" in line for line in report.verdict.lost), report.to_markdown()
