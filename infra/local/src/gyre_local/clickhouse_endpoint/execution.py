"""One query from request to result, on a thread of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.engine import Blocks, EngineSession, QueryAnswer, Stats
from gyre_local.clickhouse_endpoint.errors import Code, EngineError
from gyre_local.clickhouse_endpoint.insertion import DataInsert, find_data
from gyre_local.clickhouse_endpoint.limits import LARGEST_WHOLE_RESULT
from gyre_local.clickhouse_endpoint.request import QueryRequest
from gyre_local.clickhouse_endpoint.statement import (
    SqlStatement,
    StatementKind,
    check_allowed,
    check_no_server_file,
    check_reads_only,
    check_single,
)

_STREAMED = frozenset(
    {
        "Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "Raw", "CSV", "RowBinary",
        "JSONEachRow", "JSONLines", "NDJSON", "JSONCompactEachRow", "LineAsString", "RawBLOB",
    }
)  # fmt: skip
"""Formats whose blocks may follow one another without a header or a footer between them."""

_PIECE = 1 << 20


@dataclass(frozen=True)
class Result:
    """All of a result; what it cost is known once its blocks are read."""

    format: str | None
    blocks: Iterator[bytes]
    cost: Stats | None = None

    @property
    def stats(self) -> Stats:
        """What it cost, up to the block read last."""
        return self.blocks.stats if isinstance(self.blocks, Blocks) else self.cost or Stats()

    def close(self) -> None:
        """Cancel what is left of a streamed result."""
        if isinstance(self.blocks, Blocks):
            self.blocks.close()


def execute(session: EngineSession, query: QueryRequest, account: Account) -> Result:
    """Check and start a query; blocks until it is done, or until it begins to stream.

    Raises:
        EngineError: ClickHouse's own.
    """
    session.reading = False
    if not query.head.strip():
        raise EngineError.refusal(Code.SYNTAX_ERROR, "Syntax error: Empty query")
    insert = None if query.params else find_data(session, query.head)
    if insert is not None:
        _check(query, insert.statement, account)
        session.begin(query.settings, query.database)
        return _insert(session, query, insert)
    sql = query.head + query.rest.read()
    statement = session.inspect(sql)
    _check(query, statement, account)
    if statement.awaits_data and b"\n\n" in sql.replace(b"\r", b""):
        raise EngineError.refusal(
            Code.NOT_IMPLEMENTED,
            "An INSERT with query parameters cannot have data with empty lines: leave one out.",
        )
    if statement.kind is StatementKind.READ_ONLY:
        return _read(session, query, sql, statement, account)
    if session.persistent and statement.kind is StatementKind.CONTROL:
        session.begin({}, None)  # what SET and USE change stays
    else:
        session.begin(query.settings, query.database)
    answer = session.query(sql, query.default_format, query.params)
    return _result_of(answer, query.default_format if answer.body else None)


def _check(query: QueryRequest, statement: SqlStatement, account: Account) -> None:
    check_single(statement)
    check_no_server_file(statement)
    check_allowed(statement, account)
    if query.reads_only:
        check_reads_only(statement)


def _insert(session: EngineSession, query: QueryRequest, insert: DataInsert) -> Result:
    statement = insert.statement
    data = chain([query.head[insert.data_at :]], iter(lambda: query.rest.read(_PIECE), b""))
    return _result_of(
        session.insert(statement.without_format, statement.format or "", filter(None, data)), None
    )


def _read(
    session: EngineSession,
    query: QueryRequest,
    sql: bytes,
    statement: SqlStatement,
    account: Account,
) -> Result:
    output = statement.format or query.default_format
    session.reading = True
    if output in _STREAMED and _is_select(statement):
        session.begin(query.settings, query.database)
        return Result(output, session.stream(sql, output, query.params))
    settings = {"max_result_bytes": str(LARGEST_WHOLE_RESULT), **query.settings}
    if account.reads_only and settings["max_result_bytes"] == "0":
        settings["max_result_bytes"] = str(LARGEST_WHOLE_RESULT)  # no limit is none of the bounds
    session.begin(settings, query.database)
    return _result_of(session.query(sql, output, query.params), output)


def _is_select(statement: SqlStatement) -> bool:
    return statement.canonical.startswith(("SELECT ", "WITH ", "(SELECT "))


def _result_of(answer: QueryAnswer, output: str | None) -> Result:
    return Result(output, iter((answer.body,)) if answer.body else iter(()), answer.stats)
