"""One query from request to result, on a thread of its own."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.engine import Answer, Blocks, EngineSession, Stats
from gyre_local.clickhouse_endpoint.errors import Code, EngineError
from gyre_local.clickhouse_endpoint.request import QueryRequest
from gyre_local.clickhouse_endpoint.statement import (
    Kind,
    Statement,
    check_allowed,
    check_no_outfile,
    check_single,
)

_STREAMED = frozenset(
    {
        "Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "Raw", "CSV", "RowBinary",
        "JSONEachRow", "JSONLines", "NDJSON", "JSONCompactEachRow", "LineAsString", "RawBLOB",
    }
)  # fmt: skip
"""Formats whose blocks may follow one another without a header or a footer between them."""

_LARGEST_UNSTREAMED = 512 << 20


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


def execute(session: EngineSession, ask: QueryRequest, account: Account) -> Result:
    """Check and start a query; blocks until it is done, or until it begins to stream.

    Raises:
        EngineError: ClickHouse's own.
    """
    if not ask.sql.strip():
        raise EngineError.refused(Code.SYNTAX_ERROR, "Syntax error: Empty query")
    statement = session.inspect(ask.sql)
    check_single(statement)
    check_no_outfile(statement)
    check_allowed(statement, account)
    if ask.database:
        session.use(ask.database)
    session.set(ask.settings)
    if ask.large is not None:
        return _whole(_insert_large(session, ask, statement), None)
    if statement.kind is not Kind.READ_ONLY:
        answer = session.query(ask.sql, ask.default_format, ask.params)
        return _whole(answer, ask.default_format if answer.body else None)
    output = statement.format or ask.default_format
    if output in _STREAMED and _is_select(statement):
        return Result(output, session.stream(ask.sql, output, ask.params))
    if "max_result_bytes" not in ask.settings and not account.reads_only:
        session.set({"max_result_bytes": str(_LARGEST_UNSTREAMED)})
    return _whole(session.query(ask.sql, output, ask.params), output)


def _is_select(statement: Statement) -> bool:
    return statement.canonical.startswith(("SELECT ", "WITH ", "(SELECT "))


def _insert_large(session: EngineSession, ask: QueryRequest, statement: Statement) -> Answer:
    assert ask.large is not None
    with closing(ask.large) as data:
        insert = statement.insert_without_format
        if insert is None or statement.format is None or ask.params:
            return session.query(ask.sql + b"\n" + data.read(), ask.default_format, ask.params)
        return session.insert_from(insert, statement.format, data)


def _whole(answer: Answer, output: str | None) -> Result:
    return Result(output, iter((answer.body,)) if answer.body else iter(()), answer.stats)
