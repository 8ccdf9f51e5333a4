"""Where an INSERT ends and its data begins.

chdb can run an INSERT with its data behind it, but reads such data only up to the first empty line,
and says nothing of the rest. So statement and data are told apart here, and the data is fed byte
for byte.
"""

import re
from dataclasses import dataclass

from gyre_local.clickhouse_endpoint.engine import EngineSession
from gyre_local.clickhouse_endpoint.statement import SqlStatement

# As ClickHouse's parser (ParserInsertQuery.cpp): after the format's name come blanks, perhaps a
# semicolon, and one line end; after VALUES everything is data.
_END = re.compile(rb"\bFORMAT\s+\w+[ \t\f]*;?[ \t\f]*\r?\n?|\bVALUES\b", re.IGNORECASE)
_INSERT = re.compile(rb"\bINSERT\b", re.IGNORECASE)
_MOST_TRIES = 16


@dataclass(frozen=True)
class DataInsert:
    """An INSERT, and where the data behind it begins."""

    statement: SqlStatement
    data_at: int


def find_data(session: EngineSession, text: bytes) -> DataInsert | None:
    """Find the first place where the engine's parser sees a whole INSERT that awaits data.

    A FORMAT or VALUES inside a literal, a comment or a quoted name is no such place: the text up to
    it does not parse.
    """
    if not _INSERT.search(text):
        return None
    for tries, end in enumerate(_END.finditer(text)):
        if tries == _MOST_TRIES:
            return None
        statement = session.inspect(text[: end.end()])
        if statement.count == 1 and statement.awaits_data:
            return DataInsert(statement, end.end())
    return None
