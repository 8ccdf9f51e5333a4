"""The order of submissions, in memory."""

from dataclasses import replace

from gyre_ingestor.submission_order import Groups, LastSubmission, SubmissionPlace, Turn


class MemoryOrder:
    """Implements `SubmissionOrder`."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], LastSubmission] = {}

    async def last(self, tenant: str, document_id: str) -> LastSubmission:
        return self._last.get((tenant, document_id), LastSubmission())

    async def advance(
        self,
        tenant: str,
        document_id: str,
        place: SubmissionPlace,
        *,
        acl: Groups | None,
        writer: Groups | None,
    ) -> Turn:
        last = await self.last(tenant, document_id)
        turn = last.turn_of(place, writer)
        if turn is Turn.TAKEN:
            after = replace(last, place=place, acl=last.acl if acl is None else acl)
            self._last[tenant, document_id] = after
        return turn
