"""Keeps a view of the releases in step with `releases.changed.v1`."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from gyre_common.bus import followed
from gyre_common.errors import Retryable
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.releases.view import ReleaseView


@asynccontextmanager
async def open_releases(
    kafka_servers: str, *, required: Iterable[str], patience: float = 5.0
) -> AsyncIterator[ReleaseView]:
    """Follow the topic until the block ends; inside it every required role has a live version.

    Raises, in an ExceptionGroup: Retryable, when Kafka is out of reach, or a required role had no
    live version within `patience` seconds.
    """
    view = ReleaseView(required)
    async with followed(kafka_servers, RELEASE_CHANGED, view):
        try:
            async with asyncio.timeout(patience):
                await view.wait_until_complete()
        except TimeoutError as error:
            roles = ", ".join(view.missing)
            raise Retryable(f"no live version of {roles} yet: does `releases` run?") from error
        yield view
