"""What a caller may write, told at the door. Where the order is made it is told once more."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from gyre_common.context import RequestContext
from gyre_common.errors import NotFound, Retryable
from gyre_common.events.documents import DocumentSubmitted
from gyre_common.idempotency import UsedKeys

from gyre_ingestor.refused import reserved
from gyre_ingestor.submission_order import Groups, SubmissionOrder

log = logging.getLogger(__name__)

MOST_RECENT = 20_000
NO_DOCUMENT = "there is no such document, or nothing has happened to it yet"
RECENT_SECONDS = 60.0
_SECONDS = 1.0


class WriteGate:
    """Lets a caller replace and delete what they may read, and no more.

    While the index is away it lets all pass: the ingestor holds them to it when it accepts them.
    Documents that came in here a moment ago are remembered until they are known there; for a minute
    at most, as one that is turned away there has no claim to its name.
    """

    def __init__(
        self, order: SubmissionOrder, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._order = order
        self._clock = clock
        self._used_keys = UsedKeys()
        self._recent: OrderedDict[tuple[str, str], tuple[Groups, float]] = OrderedDict()

    async def check(self, caller: RequestContext, submission: DocumentSubmitted) -> None:
        """Raises DocumentRefused: another document has the name; NotFound: what is to be deleted is
        not there. Both say the same whether there is none or one that the caller may not read.
        """
        key = (submission.tenant, submission.document_id)
        try:
            async with asyncio.timeout(_SECONDS):
                acl = (await self._order.last(*key)).acl
        except (Retryable, TimeoutError) as error:
            log.warning("a write is checked later", extra={"cause": str(error)})
            return
        acl = self._recent_groups(key) if acl is None else acl
        if submission.deleted:
            if acl is None or not caller.may_read(acl):
                raise NotFound(NO_DOCUMENT)
        elif acl is not None and not caller.may_read(acl):
            raise reserved()

    def check_key(self, key: str, submission: DocumentSubmitted, fingerprint: str) -> None:
        """Raises InvalidInput: the idempotency key came with another request for the document."""
        self._used_keys.check(
            key, submission.tenant, submission.document_id, fingerprint=fingerprint
        )

    def remember(self, submission: DocumentSubmitted) -> None:
        """Of one that is on its way."""
        if submission.deleted:
            return
        key = (submission.tenant, submission.document_id)
        self._recent[key] = (submission.acl, self._clock() + RECENT_SECONDS)
        self._recent.move_to_end(key)
        if len(self._recent) > MOST_RECENT:
            self._recent.popitem(last=False)

    def _recent_groups(self, key: tuple[str, str]) -> Groups | None:
        acl, until = self._recent.get(key, (None, 0.0))
        return acl if self._clock() < until else None
