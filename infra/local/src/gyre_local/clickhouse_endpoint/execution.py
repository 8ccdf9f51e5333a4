"""One query from request to result, on a thread of its own."""

import re
from dataclasses import replace
from itertools import chain, islice

from gyre_local.clickhouse_endpoint import native
from gyre_local.clickhouse_endpoint.accounts import LARGEST_WHOLE_RESULT, Account
from gyre_local.clickhouse_endpoint.engine import EngineSession, Result
from gyre_local.clickhouse_endpoint.errors import Code, EngineError
from gyre_local.clickhouse_endpoint.request import QueryRequest
from gyre_local.clickhouse_endpoint.statement import SqlStatement, StatementKind, check

_STREAMED = frozenset(
    {
        "Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "Raw", "CSV", "RowBinary",
        "JSONEachRow", "JSONLines", "NDJSON", "JSONCompactEachRow", "LineAsString", "RawBLOB",
    }
)  # fmt: skip
"""Formats whose blocks may follow one another without a header or a footer between them."""

# As ClickHouse's parser (ParserInsertQuery.cpp): after the format's name come blanks, perhaps a
# semicolon, and one line end; after VALUES everything is data.
_END_OF_INSERT = re.compile(rb"\bFORMAT\s+\w+[ \t\f]*;?[ \t\f]*\r?\n?|\bVALUES\b", re.IGNORECASE)
_INSERT = re.compile(rb"\bINSERT\b", re.IGNORECASE)
_MOST_TRIES = 16
_PIECE = 1 << 20


def execute(session: EngineSession, query: QueryRequest) -> Result:
    """Check and start a query; blocks until it is done, or until it begins to stream."""
    session.reading = False
    if not query.head.strip():
        raise EngineError.refusal(Code.SYNTAX_ERROR, "Syntax error: Empty query")
    insert = None if query.params else _find_data(session, query.head)
    if insert is not None:
        return _insert(session, query, *insert)
    sql = query.head + query.rest.read()
    statement = session.inspect(sql)
    check(statement, session.account, over_get=query.over_get)
    if statement.awaits_data and b"\n\n" in sql.replace(b"\r", b""):
        raise EngineError.refusal(
            Code.NOT_IMPLEMENTED,
            "An INSERT with query parameters cannot have data with empty lines: leave one out.",
        )
    if statement.kind is StatementKind.READ_ONLY:
        return _read(session, query, sql, statement)
    if session.persistent and statement.kind is StatementKind.CONTROL:
        session.begin({}, None)  # what SET and USE change stays
    else:
        session.begin(query.settings, query.database)
    return session.query(sql, query.default_format, query.params)


def _find_data(session: EngineSession, text: bytes) -> tuple[SqlStatement, int] | None:
    """The first place where the engine's parser sees a whole INSERT that awaits data.

    chdb can run an INSERT with its data behind it, but reads such data only up to the first empty
    line, and says nothing of the rest. So statement and data are told apart here, and the data is
    fed byte for byte. A FORMAT or VALUES inside a literal, a comment or a quoted name is no such
    place: the text up to it does not parse.
    """
    if not _INSERT.search(text):
        return None
    for end in islice(_END_OF_INSERT.finditer(text), _MOST_TRIES):
        statement = session.inspect(text[: end.end()])
        if statement.count == 1 and statement.awaits_data:
            return statement, end.end()
    return None


def _insert(
    session: EngineSession, query: QueryRequest, statement: SqlStatement, data_at: int
) -> Result:
    check(statement, session.account, over_get=query.over_get)
    session.begin(query.settings, query.database)
    data = chain([query.head[data_at:]], iter(lambda: query.rest.read(_PIECE), b""))
    return session.insert(statement.without_format, statement.format or "", filter(None, data))


def _read(
    session: EngineSession, query: QueryRequest, sql: bytes, statement: SqlStatement
) -> Result:
    output = statement.format or query.default_format
    session.reading = True
    if output in _STREAMED and statement.canonical.startswith(("SELECT ", "WITH ", "(SELECT ")):
        session.begin(query.settings, query.database)
        result = session.stream(sql, output, query.params)
    else:
        settings = {"max_result_bytes": str(LARGEST_WHOLE_RESULT), **query.settings}
        # No limit is none of the analyst's bounds.
        if session.account is Account.ANALYST and settings["max_result_bytes"] == "0":
            settings["max_result_bytes"] = str(LARGEST_WHOLE_RESULT)
        session.begin(settings, query.database)
        result = replace(session.query(sql, output, query.params), format=output)
    if output == "Native" and query.protocol_version >= native.FIRST_VERSION:
        result.blocks = native.with_block_info(result.blocks)
    return result
