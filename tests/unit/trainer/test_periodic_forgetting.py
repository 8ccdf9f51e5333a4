"""The trainer tends what it keeps: old facts go, and what failed is tried again."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gyre_common.errors import Conflict, Retryable
from gyre_trainer import forgetting
from gyre_trainer.forgetting import forget_periodically

from tests.eventually import eventually

NOON = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


class Tending:
    """Fails as told, then works."""

    def __init__(self, *failures: Exception) -> None:
        self.oldest: list[datetime] = []
        self._failures = list(failures)

    async def forget_due(self, oldest: datetime) -> None:
        self.oldest.append(oldest)
        if self._failures:
            raise self._failures.pop(0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    sleep: Callable[[float], Any] = asyncio.sleep

    async def quickly(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr("gyre_trainer.forgetting.asyncio.sleep", quickly)
    monkeypatch.setattr(forgetting, "now", lambda: NOON)
    return slept


async def test_facts_are_kept_for_whole_days_and_what_failed_is_tried_soon(
    pauses: list[float],
) -> None:
    tending = Tending(Conflict("a run goes on"), Retryable("the store is full"))
    task = asyncio.create_task(forget_periodically(tending, days=30))  # type: ignore[arg-type]
    await eventually(lambda: len(tending.oldest) > 2)
    task.cancel()
    assert set(tending.oldest) == {datetime(2026, 3, 2, tzinfo=UTC) - timedelta(days=30)}
    assert [pause for pause in pauses if pause >= 60][:3] == [60, 60, 3600]
