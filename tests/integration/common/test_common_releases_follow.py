"""A view of the releases follows the topic on a real broker."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from gyre_common.bus import Bus
from gyre_common.errors import Retryable
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.releases.following import open_releases

from tests.builders import a_release
from tests.eventually import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def role() -> str:
    return f"prompt/t{uuid4().hex[:12]}"


@pytest.fixture
async def bus(kafka_servers: str) -> AsyncIterator[Bus]:
    bus = Bus(kafka_servers, service="test")
    bus.publishes(RELEASE_CHANGED)
    async with bus:
        yield bus


async def test_opening_reads_what_is_there_and_following_brings_the_rest(
    bus: Bus, kafka_servers: str, role: str
) -> None:
    await bus.publish(RELEASE_CHANGED, a_release(role, generation=1, live="one"))
    await bus.publish(RELEASE_CHANGED, a_release(role, generation=2, live="two"))
    async with open_releases(kafka_servers, required=[role]) as view:
        assert view.live("acme", role).version == "two"
        await bus.publish(RELEASE_CHANGED, a_release(role, tenant="acme", live="own"))
        await eventually(lambda: view.live("acme", role).version == "own")
        assert view.live("other", role).version == "two"
        await bus.retire(RELEASE_CHANGED, f"acme/{role}")
        await eventually(lambda: view.live("acme", role).version == "two")


async def test_opening_waits_until_a_required_role_is_live(
    bus: Bus, kafka_servers: str, role: str
) -> None:
    async def live_version() -> str:
        async with open_releases(kafka_servers, required=[role], patience=30) as view:
            return view.live("acme", role).version

    opening = asyncio.create_task(live_version())
    await bus.publish(RELEASE_CHANGED, a_release(role, live="one"))
    assert await asyncio.wait_for(opening, 30) == "one"


async def test_a_role_that_never_comes_is_named_and_may_be_tried_again(
    bus: Bus, kafka_servers: str, role: str
) -> None:
    with pytest.raises(ExceptionGroup) as excinfo:
        async with open_releases(kafka_servers, required=[role], patience=0.2):
            pass
    [cause] = excinfo.value.exceptions
    assert isinstance(cause, Retryable)
    assert role in str(cause)
