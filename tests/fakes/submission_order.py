"""The order of submissions, in memory."""

from gyre_ingestor.submission_order import SubmissionPlace


class MemoryOrder:
    """Implements `SubmissionOrder`."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], SubmissionPlace] = {}

    async def is_overtaken(self, tenant: str, document_id: str, place: SubmissionPlace) -> bool:
        last = self._last.get((tenant, document_id))
        return last is not None and place.is_before(last)

    async def advance(self, tenant: str, document_id: str, place: SubmissionPlace) -> bool:
        last = self._last.get((tenant, document_id))
        if last is not None and place.is_before(last):
            return False
        self._last[tenant, document_id] = place
        return True
