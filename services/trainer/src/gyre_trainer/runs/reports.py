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


async def report_of(run: Run, store: Store) -> StoredReport | None:
    """None for a run that has none, or whose report the store cannot give now: a run can be looked
    at without it.
    """
    finished = run.finished
    if finished is None or finished.report is None or finished.report_uri is None:
        return None
    try:
        content = await store.get(finished.report_uri, finished.report)
    except (NotFound, InvalidInput, DamagedContentError, Retryable):
        return None
    verdict, recipe = finished.verdict, RECIPES.get(run.recipe)
    if verdict is None and recipe is not None:
        verdict = recipe.verdict_in(content)
    return StoredReport(json.loads(content), verdict)
