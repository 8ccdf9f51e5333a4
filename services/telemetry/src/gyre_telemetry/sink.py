"""The port that rows go through."""

from collections.abc import Sequence
from typing import Protocol

from gyre_telemetry.rows import TableRow


class Sink(Protocol):
    """Keeps rows. Writing a row again leaves one row, the newest."""

    async def insert(self, table: str, rows: Sequence[TableRow]) -> None:
        """Return once all rows, of one table and with the same columns, are kept.

        Raises:
            Retryable: the sink is down, slow or busy. Some of the rows may be kept.
            Poison: at least one row can never be kept.
        """
