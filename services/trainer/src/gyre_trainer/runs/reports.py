"""Reads the gates' reports back from the store."""

import json
from dataclasses import dataclass
from typing import Any

from gyre_common.errors import InvalidInput, NotFound, Retryable
from gyre_common.events.training import Verdict
from gyre_common.store import DamagedContentError, Store

from gyre_trainer.recipes import RECIPES
from gyre_trainer.runs.book import Run


@dataclass(frozen=True)
class StoredReport:
    """As JSON, and the verdict in it: runs of before have theirs nowhere else."""

    content: dict[str, Any]
    verdict: Verdict | None


class Reports:
    """Each by its run; None for a run that has none, or whose report the store cannot give now."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, run: Run) -> StoredReport | None:
        """A run can be looked at without its report: what cannot be read is left out."""
        finished = run.finished
        if finished is None or finished.report is None or finished.report_uri is None:
            return None
        try:
            content = await self._store.get(finished.report_uri, finished.report)
        except (NotFound, InvalidInput, DamagedContentError, Retryable):
            return None
        return StoredReport(
            json.loads(content), finished.verdict or _verdict_in(run.recipe, content)
        )


def _verdict_in(recipe: str, content: bytes) -> Verdict | None:
    known_recipe = RECIPES.get(recipe)
    return known_recipe.verdict_in(content) if known_recipe is not None else None
