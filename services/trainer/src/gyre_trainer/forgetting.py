"""Forgets people, conversations and documents on request, and every fact when it is too old."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gyre_common.errors import Conflict, FailedPrecondition, GyreError, InvalidInput
from gyre_common.events.event import EVERY_TENANT, now
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED
from gyre_common.personal_data import Redaction
from gyre_common.redaction.choices import choices

from gyre_trainer.data_sets.data_set_store import DataSetStore, expire_incomplete_data_sets
from gyre_trainer.runs.folder import RunFolders
from gyre_trainer.segments import Segments
from gyre_trainer.segments.erasure import Erasure, Subject

log = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0
_AGAIN_SECONDS = 60.0
_LONGEST_NAME = 512


@dataclass(frozen=True)
class ErasureCounts:
    """What an erasure removed; cleared interactions stay without what quoted the document."""

    interactions: int
    cleared_interactions: int
    feedback: int
    passages: int
    data_sets: int
    runs: int


@dataclass(frozen=True)
class RedactionCounts:
    """What was rewritten: facts of questions and of feedback, texts of passages; and what was
    removed, as it holds texts of before.
    """

    interactions: int
    feedback: int
    passages: int
    data_sets: int
    runs: int


class Forgetting:
    """Each erasure is on record before it begins; one that was interrupted goes on by `forget_due`.
    Inside `without_runs` no run of a tenant goes on or begins; it raises Conflict while one does.
    """

    def __init__(
        self,
        segments: Segments,
        data_sets: DataSetStore,
        folders: RunFolders,
        *,
        current_window: Callable[[], Awaitable[object]],
        without_runs: Callable[[str], AbstractAsyncContextManager[None]],
    ) -> None:
        self._segments = segments
        self._data_sets = data_sets
        self._folders = folders
        self._current_window = current_window
        self._without_runs = without_runs
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[ErasureCounts]] = set()
        self._oldest: datetime | None = None

    async def forget(self, subject: Subject) -> ErasureCounts:
        """Forget a subject up to now; once on record, it will happen. Raises InvalidInput: no name;
        Conflict: a run of the tenant goes on; Retryable: Kafka or the store is away.
        """
        if not subject.name:
            raise InvalidInput(subject.kind.value, "is empty", "say what is to be forgotten")
        if len(subject.name) > _LONGEST_NAME:
            fix = f"send at most {_LONGEST_NAME}: nobody and nothing has a longer name"
            raise InvalidInput(subject.kind.value, f"has {len(subject.name)} characters", fix)

        async def forget() -> ErasureCounts:
            async with self._lock, self._without_runs(subject.tenant):
                await self._current_window()
                return await self._finish(await self._segments.begin_erasure(subject, now()))

        # Whoever asks may leave meanwhile.
        task = asyncio.create_task(forget())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def redact(self, tenant: str, since: datetime) -> RedactionCounts:
        """Rewrite what was collected from then on as the tenant's choice says today. What was
        interrupted is done by doing it again. Raises FailedPrecondition: the choice is to keep;
        Conflict and Retryable as `forget`.
        """
        if choices().of(tenant) is Redaction.KEEP:
            raise FailedPrecondition(
                f"personal data of {tenant} is kept, so there is nothing to rewrite: set "
                "GYRE_PERSONAL_DATA or GYRE_PERSONAL_DATA_OF_TENANTS for every service first"
            )
        async with self._lock, self._without_runs(tenant):
            await self._current_window()
            done = await self._segments.redact(tenant, since)
            counts = RedactionCounts(
                interactions=done.cleared[INTERACTION_COMPLETED.name],
                feedback=done.cleared[FEEDBACK_RECEIVED.name],
                passages=await self._segments.drop_passages(),
                data_sets=await expire_incomplete_data_sets(self._data_sets, self._segments, now()),
                runs=await self._without_folders_of(tenant),
            )
        log.info("facts redacted", extra={"tenant": tenant, **vars(counts)})
        return counts

    async def _without_folders_of(self, tenant: str) -> int:
        """Folders of runs hold questions and passages in the open."""
        return await asyncio.to_thread(
            self._folders.forget, lambda folder: folder.spec().tenant in (tenant, EVERY_TENANT)
        )

    async def forget_due(self, oldest: datetime) -> None:
        """Finish what was begun, and remove what is older than `oldest`. Raises as `forget`."""
        async with self._lock, self._without_runs(EVERY_TENANT):
            for erasure in await self._segments.erasures.unfinished():
                await self._finish(erasure)
            if oldest != self._oldest:
                await self._drop_before(oldest)
                self._oldest = oldest

    async def _drop_before(self, oldest: datetime) -> None:
        dropped = await self._segments.drop_before(oldest)
        # Also when no fact went: a trainer may have been killed in between.
        passages = await self._segments.drop_passages()
        await expire_incomplete_data_sets(self._data_sets, self._segments, now())
        every = await self._data_sets.of_tenant(None)
        expired = {one.digest for one in every if one.expired_at is not None}
        runs = await asyncio.to_thread(
            self._folders.forget, lambda folder: folder.data_set_digest in expired
        )
        facts = dropped.removed.total()
        if facts or passages or runs:
            log.info("facts expired", extra={"facts": facts, "passages": passages, "runs": runs})

    async def _finish(self, erasure: Erasure) -> ErasureCounts:
        done = await self._segments.erase(erasure)
        counts = ErasureCounts(
            interactions=done.removed[INTERACTION_COMPLETED.name],
            cleared_interactions=done.cleared[INTERACTION_COMPLETED.name],
            feedback=done.removed[FEEDBACK_RECEIVED.name],
            passages=await self._segments.drop_passages(),
            data_sets=await expire_incomplete_data_sets(self._data_sets, self._segments, now()),
            runs=await self._without_folders_of(erasure.tenant),
        )
        await self._segments.erasures.finish(erasure)
        log.info("erasure done", extra={"erasure": erasure.erasure_id, **vars(counts)})
        return counts


async def forget_periodically(forgetting: Forgetting, *, days: int) -> None:
    """Forget what is due, now and every hour; what cannot be done is tried again a minute later."""
    while True:
        midnight = now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            await forgetting.forget_due(midnight - timedelta(days=days))
            pause = _EVERY_SECONDS
        except Conflict as error:
            pause = _AGAIN_SECONDS
            log.info("forgetting waits", extra={"cause": str(error)})
        except GyreError as error:
            pause = _AGAIN_SECONDS
            log.warning("forgetting failed, and is tried again", extra={"cause": str(error)})
        await asyncio.sleep(pause)
