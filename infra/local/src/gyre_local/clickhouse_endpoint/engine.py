"""The one engine of this process, and the sessions on it."""

import importlib.resources
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chdb
from chdb import ChdbError

from gyre_local.clickhouse_endpoint.accounts import (
    ANALYST_STARTS_WITH,
    Account,
    analyst_constraints,
)
from gyre_local.clickhouse_endpoint.errors import Code, EngineError
from gyre_local.clickhouse_endpoint.statement import SqlStatement, StatementKind, Token

_PLACE = re.compile(r"\((\d+), ?(\d+), ?'(\w*)'\)")
_RENDERED = "SELECT hex(formatQuerySingleLine(unhex('{hex}')) AS text), highlightQuery(text)"
_SETTINGS = (
    "SELECT name, if(changed, value, NULL) FROM system.settings "
    "WHERE has({names:Array(String)}, name) FORMAT JSONCompactEachRow"
)
_NAMED_COLUMNS = re.compile(r"INSERT INTO ([^\s()]+) \(([^()*]+)\)")
"""As the engine writes it on one line; a table or a column with an odd name goes the other way."""

_MARK = "log_comment"
"""The setting by which a session's query is known among those that run."""
LONGEST_QUERY = 256 << 10
"""ClickHouse's `max_query_size`; only an INSERT's data may go on behind it."""


@dataclass
class Stats:
    """What a query has cost so far, named as in X-ClickHouse-Summary."""

    read_rows: int = 0
    read_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_ns: int = 0

    def add(self, block: Any) -> None:
        """Add a result of chdb, or one block of a stream, whose clock runs on."""
        self.read_rows += block.storage_rows_read()
        self.read_bytes += block.storage_bytes_read()
        self.result_rows += block.rows_read()
        self.result_bytes += block.bytes_read()
        self.written_rows += block.rows_written()
        self.written_bytes += block.bytes_written()
        self.elapsed_ns = max(self.elapsed_ns, int(block.elapsed() * 1e9))


@dataclass
class Result:
    """A result as it comes; `stats` grow with each block, `close` cancels what is left."""

    format: str | None
    blocks: Iterator[bytes] = field(default_factory=lambda: iter(()))
    stats: Stats = field(default_factory=Stats)
    close: Callable[[], None] = lambda: None


class EngineSession:
    """One chdb handle: its own settings, current database, temporary tables and role.

    `persistent` sessions serve more than one request; one that is `spoiled` can serve no other.
    What runs may be cancelled while the session is `reading`. Every method blocks. Calls from
    several threads wait for each other, so that closing never takes the handle away from a query
    that still runs.
    """

    def __init__(self, connection: str, account: Account) -> None:
        self.account = account
        self.id = uuid.uuid4().hex
        self.persistent = False
        self.spoiled = False
        self.reading = False
        self._lock = threading.RLock()
        self._applied: tuple[Mapping[str, str], str | None] = ({}, None)
        self._before: tuple[Mapping[str, str | None], str | None] = ({}, None)
        self._handle: Any
        with self._calling():
            self._handle = chdb.connect(connection)
        settings: dict[str, object] = {_MARK: f"'{self.id}'"}
        if account is Account.ANALYST:  # it keeps only its role, profile, limits and reading
            self.ask(f"SET ROLE {account.value}")
            # The profile first, which brings the constraints; `readonly` last.
            profile = {"profile": f"'{account.value}'", **ANALYST_STARTS_WITH}
            settings = {**profile, **settings, "readonly": 2}
        self.ask("SET " + ", ".join(f"{name} = {value}" for name, value in settings.items()))

    def begin(self, settings: Mapping[str, str], database: str | None) -> None:
        """Give the next query its settings and database, in place of those of the query before.

        Raises EngineError where there is no such setting, value or database.
        """
        if self._applied == (settings, database):
            return
        self.spoiled = True  # unless all of it works
        settings_before, database_before = self._before
        self._set(settings_before)
        self._use(database_before)
        if self.persistent:
            current = self.ask("SELECT currentDatabase()") if database else None
            self._before = (self._values(settings), current)
        self._use(database)
        self._set(settings)
        self._applied = (dict(settings), database)
        self.spoiled = False

    def inspect(self, sql: bytes) -> SqlStatement:
        """Ask the engine's parser what `sql` is, without running it."""
        with self._calling():
            # chdb's Python wrapper does not pass this method on; chdb.durable reaches it so too.
            report = self._handle._conn.classify_query(sql, "")
        kind, count = StatementKind(report["query_class"].name), int(report["statement_count"])
        readable = kind is not StatementKind.UNKNOWN and count == 1 and len(sql) <= LONGEST_QUERY
        return SqlStatement(kind, count, *(self._rendered(sql) if readable else ("", ())))

    def ask(self, sql: str, params: Mapping[str, str] | None = None) -> str:
        """Run a statement of the endpoint's own and return its rows as text."""
        with self._calling():
            answer = self._handle.query(sql, "TSVRaw", params=dict(params or {}))
            return bytes(answer.bytes()).decode(errors="replace").removesuffix("\n")

    def query(self, sql: bytes, output: str, params: Mapping[str, str]) -> Result:
        """Run to the end; what rows there are have format `output`, or that of its own FORMAT."""
        with self._calling():
            answer = self._handle.query(sql, output, params=dict(params))
            body = bytes(answer.bytes())
        result = Result(output, iter((body,))) if body else Result(None)
        result.stats.add(answer)
        return result

    def stream(self, sql: bytes, output: str, params: Mapping[str, str]) -> Result:
        """Run a SELECT whose result comes block by block.

        Each block is a whole document of the format, so only formats whose documents may follow
        one another can be streamed.
        """
        with self._calling():
            stream = self._handle.send_query(sql, output, params=dict(params))
        result = Result(output)

        def blocks() -> Iterator[bytes]:
            while True:
                with self._calling():
                    block = stream.fetch()
                if block is None:
                    return
                result.stats.add(block)
                yield bytes(block.bytes())

        def close() -> None:
            with self._calling():
                stream.close()

        result.blocks, result.close = blocks(), close
        return result

    def insert(self, insert: str, data_format: str, pieces: Iterable[bytes]) -> Result:
        """Feed an INSERT (without its FORMAT clause) with data piece by piece.

        What clients send, Native with its columns named, goes by way of a temporary table: chdb 4.4
        says nothing of what goes wrong where it writes what it is fed (a constraint, too many
        months, a full disk), and the rows are gone. Of other inserts that is still so.
        """
        named = _NAMED_COLUMNS.fullmatch(insert)
        if data_format != "Native" or named is None:
            return Result(None, stats=self._feed(insert, data_format, pieces))
        table, columns = named.groups()
        passing = f"inserted_{uuid.uuid4().hex}"
        self.ask(
            f"CREATE TEMPORARY TABLE {passing} ENGINE = Memory AS "
            f"SELECT {columns} FROM {table} LIMIT 0"
        )
        try:
            stats = self._feed(f"INSERT INTO {passing} ({columns})", data_format, pieces)
            arrived = int(self.ask(f"SELECT count() FROM {passing}"))
            if arrived != stats.written_rows:
                raise EngineError.refusal(
                    Code.MEMORY_LIMIT_EXCEEDED,
                    f"{arrived} of {stats.written_rows} rows found room",
                )
            self.ask(f"{insert} SELECT * FROM {passing}")
        finally:
            self.ask(f"DROP TEMPORARY TABLE {passing}")
        return Result(None, stats=stats)

    def _feed(self, insert: str, data_format: str, pieces: Iterable[bytes]) -> Stats:
        with self._calling(), self._handle.send_insert(insert, data_format) as inserter:
            for piece in pieces:
                inserter.append(piece)
            done = inserter.finish()
        return Stats(
            written_rows=done.rows_written,
            written_bytes=done.bytes_written,
            elapsed_ns=int(done.elapsed * 1e9),
        )

    def close(self) -> None:
        """End the session, once nothing runs in it."""
        with self._lock:
            self._handle.close()

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """Hold the session for one call into the engine, whose errors become EngineError."""
        with self._lock:
            try:
                yield
            except (ChdbError, RuntimeError) as error:
                raise EngineError.reported(str(error)) from error

    def _use(self, database: str | None) -> None:
        if database:
            self.ask("USE {name:Identifier}", {"name": database})

    def _set(self, settings: Mapping[str, str | None]) -> None:
        """None is the default."""
        # `readonly` last, since nothing can change after it.
        pairs = sorted(settings.items(), key=lambda item: item[0] == "readonly")
        if pairs:
            self.ask("SET " + ", ".join(f"`{_escaped(k)}` = {_literal(v)}" for k, v in pairs))

    def _values(self, names: Iterable[str]) -> dict[str, str | None]:
        """What the settings are now; None for a default."""
        quoted = ", ".join(f"'{_escaped(name)}'" for name in names)
        rows = self.ask(_SETTINGS, {"names": f"[{quoted}]"}).splitlines() if quoted else ()
        return dict(map(json.loads, rows))

    def _rendered(self, sql: bytes) -> tuple[str, Sequence[Token]]:
        # In hexadecimal, so that no byte of the caller's text is read as part of ours, and no
        # setting of the session changes how it is written.
        try:
            rendered, _, places = self.ask(_RENDERED.format(hex=sql.hex())).partition("\t")
        except EngineError:
            return "", ()
        text = bytes.fromhex(rendered)
        return text.decode(errors="replace"), tuple(
            Token(text[int(start) : int(end)].decode(errors="replace"), kind)
            for start, end, kind in _PLACE.findall(places)
        )


class ChdbEngine:
    """chdb on a folder that has `data`, and its sessions; another process on it is refused."""

    def __init__(self, folder: Path) -> None:
        users = folder / "users.xml"
        users.write_text(_users())
        # chdb reads `users_config` only where a `config-file` is named too. Every handle must name
        # the same: a handle that names other users replaces the users of the whole engine.
        self._connection = f"{folder / 'data'}?config-file={users}&users_config={users}"
        self._owner = self.session(Account.DEFAULT)  # keeps the engine up between requests
        self.session(Account.ANALYST).close()  # without its role there is no read-only user
        self.version, self.timezone = self._owner.ask("SELECT version(), timezone()").split("\t")

    def session(self, account: Account) -> EngineSession:
        """Open a session that may do what the account may. Cheap: a fraction of a millisecond."""
        return EngineSession(self._connection, account)

    def cancel(self, session: EngineSession) -> None:
        """End what the session reads; nothing where it does not, or writes."""
        if session.reading:
            self._owner.ask(f"KILL QUERY WHERE Settings['{_MARK}'] = '{session.id}' ASYNC")

    def close(self) -> None:
        """End the engine, once all other sessions are closed."""
        self._owner.close()


def _users() -> str:
    """users.xml, with the analyst's constraints for the settings that this engine has."""
    with closing(EngineSession(":memory:", Account.DEFAULT)) as session:
        names = session.ask("SELECT name FROM system.settings WHERE alias_for = ''").split()
    template = importlib.resources.files(__package__).joinpath("users.xml").read_text()
    return template.replace("CONSTRAINTS", analyst_constraints(names))


def _literal(value: str | None) -> str:
    return "DEFAULT" if value is None else f"'{_escaped(value)}'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("`", "\\`")
