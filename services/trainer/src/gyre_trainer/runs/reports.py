"""Reads the gates' reports back from the store."""

import json
from typing import Any

from gyre_common.errors import InvalidInput, NotFound, Retryable
from gyre_common.store import DamagedContentError, Store

from gyre_trainer.runs.book import Run


class Reports:
    """Each as JSON; None for a run that has none, or whose report the store cannot give now."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, run: Run) -> dict[str, Any] | None:
        """A run can be looked at without its report: what cannot be read is left out."""
        made = run.finished
        if made is None or made.report is None or made.report_uri is None:
            return None
        try:
            content = await self._store.get(made.report_uri, made.report)
        except (NotFound, InvalidInput, DamagedContentError, Retryable):
            return None
        report: dict[str, Any] = json.loads(content)
        return report
