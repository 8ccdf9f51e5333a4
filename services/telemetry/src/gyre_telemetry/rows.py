"""What is written of an event."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table by column. `values` may hold more than the table has columns for."""

    table: str
    values: Mapping[str, object]
