"""The one engine of this process, and the sessions on it."""

import ast
import importlib.resources
import json
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import chdb
from chdb import ChdbError

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.errors import EngineError
from gyre_local.clickhouse_endpoint.limits import ANALYST_STARTS_WITH, analyst_constraints
from gyre_local.clickhouse_endpoint.statement import SqlStatement, StatementKind, Token

_RENDERED = "SELECT hex(formatQuerySingleLine(unhex('{hex}')) AS text), highlightQuery(text)"
_SETTINGS = (
    "SELECT name, value, changed FROM system.settings WHERE has({names:Array(String)}, name)"
)
_MARK = "log_comment"
"""The setting by which a session's query is known among those that run."""
LONGEST_QUERY = 256 << 10
"""ClickHouse's `max_query_size`; only an INSERT's data may go on behind it."""


@dataclass(frozen=True)
class Stats:
    """What a finished query cost."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_seconds: float = 0.0

    def plus(self, block: "Stats") -> "Stats":
        """Add one more block of a stream; the clock runs on from block to block."""
        return Stats(
            self.read_rows + block.read_rows,
            self.read_bytes + block.read_bytes,
            elapsed_seconds=max(self.elapsed_seconds, block.elapsed_seconds),
        )


@dataclass(frozen=True)
class QueryAnswer:
    """A whole result."""

    body: bytes
    stats: Stats


class EngineSession:
    """One chdb handle: its own settings, current database, temporary tables and role.

    `persistent` sessions serve more than one request; one that is `spoiled` can serve no other.
    What runs may be cancelled while the session is `reading`. Every method blocks. Calls from
    several threads wait for each other, so that closing never takes the handle away from a query
    that still runs.
    """

    def __init__(self, connection: str) -> None:
        self._lock = threading.RLock()
        self.id = uuid.uuid4().hex
        self.persistent = False
        self.spoiled = False
        self.reading = False
        self._applied: tuple[Mapping[str, str], str | None] = ({}, None)
        self._settings_before: dict[str, str | None] = {}
        self._database_before: str | None = None
        self._handle: Any
        with self.calling():
            self._handle = chdb.connect(connection)

    def enter_as(self, account: Account) -> None:
        """Mark the session; a reader keeps only its role, its profile, its limits and reading."""
        settings = {_MARK: f"'{self.id}'"}
        if account.reads_only:
            self.query(f"SET ROLE {account.value}")
            # The profile first, which brings the constraints; `readonly` last.
            limits = {name: str(value) for name, value in ANALYST_STARTS_WITH.items()}
            settings = {"profile": f"'{account.value}'", **limits, **settings, "readonly": "2"}
        self.query("SET " + ", ".join(f"{name} = {value}" for name, value in settings.items()))

    def begin(self, settings: Mapping[str, str], database: str | None) -> None:
        """Give the next query its settings and database, in place of those of the query before.

        Raises:
            EngineError: there is no such setting, value or database.
        """
        if self._applied == (settings, database):
            return
        self.spoiled = True  # unless all of it works
        self._take_back()
        if database:
            if self.persistent:
                self._database_before = _text(self.query("SELECT currentDatabase()", "TSVRaw"))
            self._use(database)
        if settings:
            self._settings_before = self._settings(settings) if self.persistent else {}
            self._set(settings)
        self._applied = (dict(settings), database)
        self.spoiled = False

    def _take_back(self) -> None:
        self._applied = ({}, None)
        while self._settings_before:
            name, value = self._settings_before.popitem()
            self.query(f"SET `{_escaped(name)}` = " + _literal(value))
        if self._database_before is not None:
            self._use(self._database_before)
            self._database_before = None

    def _use(self, database: str) -> None:
        self.query("USE {name:Identifier}", params={"name": database})

    def _set(self, settings: Mapping[str, str]) -> None:
        # `readonly` last, since nothing can change after it.
        pairs = sorted(settings.items(), key=lambda item: item[0] == "readonly")
        self.query("SET " + ", ".join(f"`{_escaped(k)}` = {_literal(v)}" for k, v in pairs))

    def inspect(self, sql: bytes) -> SqlStatement:
        """Ask the engine's parser what `sql` is, without running it."""
        with self.calling():
            # chdb's Python wrapper does not pass this method on; chdb.durable reaches it so too.
            report = self._handle._conn.classify_query(sql, "")
        kind, count = StatementKind(report["query_class"].name), int(report["statement_count"])
        readable = kind is not StatementKind.UNKNOWN and count == 1 and len(sql) <= LONGEST_QUERY
        return SqlStatement(kind, count, *(self._rendered(sql) if readable else ("", ())))

    def query(
        self,
        sql: str | bytes,
        output: str = "TabSeparated",
        params: Mapping[str, str] | None = None,
    ) -> QueryAnswer:
        """Run to the end and return the whole result in format `output`, or its own FORMAT."""
        with self.calling():
            result = self._handle.query(sql, output, params=dict(params or {}))
            return QueryAnswer(bytes(result.bytes()), _stats(result))

    def stream(self, sql: str | bytes, output: str, params: Mapping[str, str]) -> "Blocks":
        """Run a SELECT whose result comes block by block.

        Each block is a whole document of the format, so only formats whose documents may follow
        one another can be streamed.
        """
        with self.calling():
            return Blocks(self, self._handle.send_query(sql, output, params=dict(params)))

    def insert(self, insert: str, data_format: str, pieces: Iterable[bytes]) -> QueryAnswer:
        """Feed an INSERT (without its FORMAT clause) with data piece by piece."""
        with self.calling(), self._handle.send_insert(insert, data_format) as inserter:
            for piece in pieces:
                inserter.append(piece)
            done = inserter.finish()
        return QueryAnswer(
            b"",
            Stats(
                written_rows=done.rows_written,
                written_bytes=done.bytes_written,
                elapsed_seconds=done.elapsed,
            ),
        )

    def close(self) -> None:
        """End the session, once nothing runs in it."""
        with self._lock:
            self._handle.close()

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Hold the session for one call into the engine, whose errors become EngineError."""
        with self._lock:
            try:
                yield
            except (ChdbError, RuntimeError) as error:
                raise EngineError.reported(str(error)) from error

    def _settings(self, names: Iterable[str]) -> dict[str, str | None]:
        """Values of settings; None where it is the default."""
        quoted = ", ".join(f"'{_escaped(name)}'" for name in names)
        if not quoted:
            return {}
        params = {"names": f"[{quoted}]"}
        rows = map(json.loads, _text(self.query(_SETTINGS, "JSONEachRow", params)).splitlines())
        return {row["name"]: row["value"] if row["changed"] else None for row in rows}

    def _rendered(self, sql: bytes) -> tuple[str, Sequence[Token]]:
        # In hexadecimal, so that no byte of the caller's text is read as part of ours, and no
        # setting of the session changes how it is written.
        try:
            answer = self.query(_RENDERED.format(hex=sql.hex()), "TSVRaw")
        except EngineError:
            return "", ()
        rendered, _, places = _text(answer).partition("\t")
        text = bytes.fromhex(rendered)
        return text.decode(errors="replace"), tuple(
            Token(text[start:end].decode(errors="replace"), kind)
            for start, end, kind in ast.literal_eval(places or "()")
        )


class Blocks:
    """The blocks of a running SELECT, in order; closing them cancels what is left of it."""

    def __init__(self, session: EngineSession, result: Any) -> None:
        self._session = session
        self._result = result
        self.stats = Stats()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._session.calling():
            block = self._result.fetch()
        if block is None:
            raise StopIteration
        self.stats = self.stats.plus(_stats(block))
        return bytes(block.bytes())

    def close(self) -> None:
        """Cancel the query if it still runs; call it before the session closes."""
        with self._session.calling():
            self._result.close()


class ChdbEngine:
    """chdb on a folder that has `data` and `spool`. A process can hold one; a second process on the
    folder is refused.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection = ""
        self._keeper: EngineSession | None = None
        self.version = ""
        self.timezone = ""

    def __enter__(self) -> Self:
        users = self._folder / "users.xml"
        users.write_text(_users())
        # chdb reads `users_config` only where a `config-file` is named too. Every handle must name
        # the same: a handle that names other users replaces the users of the whole engine.
        self._connection = f"{self._folder / 'data'}?config-file={users}&users_config={users}"
        self._keeper = EngineSession(self._connection)  # keeps the engine up between requests
        self.session(Account.ANALYST).close()  # without its role there is no read-only user
        answer = self._keeper.query("SELECT version(), timezone()")
        self.version, self.timezone = _text(answer).split("\t")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._keeper is not None:
            self._keeper.close()

    def session(self, account: Account) -> EngineSession:
        """Open a session that may do what the account may. Cheap: a fraction of a millisecond."""
        session = EngineSession(self._connection)
        try:
            session.enter_as(account)
        except EngineError:
            session.close()
            raise
        return session

    def cancel(self, session: EngineSession) -> None:
        """End what the session reads; nothing where it does not, or writes."""
        if self._keeper is not None and session.reading:
            self._keeper.query(f"KILL QUERY WHERE Settings['{_MARK}'] = '{session.id}' ASYNC")

    def spool(self, in_memory: int) -> "tempfile.SpooledTemporaryFile[bytes]":
        """A place for bytes on their way in or out; past `in_memory` it moves to the data disk."""
        return tempfile.SpooledTemporaryFile(max_size=in_memory, dir=str(self._folder / "spool"))


def _users() -> str:
    """users.xml, with the analyst's constraints for the settings that this engine has."""
    handle = chdb.connect(":memory:")
    try:
        names = handle.query("SELECT name FROM system.settings WHERE alias_for = ''", "TSVRaw")
        constraints = analyst_constraints(bytes(names.bytes()).decode().split())
    finally:
        handle.close()
    template = importlib.resources.files(__package__).joinpath("users.xml").read_text()
    return template.replace("CONSTRAINTS", constraints)


def _text(answer: QueryAnswer) -> str:
    return answer.body.decode(errors="replace").removesuffix("\n")


def _literal(value: str | None) -> str:
    return "DEFAULT" if value is None else f"'{_escaped(value)}'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("`", "\\`")


def _stats(result: Any) -> Stats:
    return Stats(
        read_rows=result.rows_read(),
        read_bytes=result.bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        elapsed_seconds=result.elapsed(),
    )
