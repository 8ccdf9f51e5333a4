"""What a statement is, in the engine's own words: its class, its output format, what it calls."""

import re
from dataclasses import dataclass
from enum import Enum

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.errors import Code, EngineError


class Kind(Enum):
    """The engine's classes of statements (chdb's `query_class`)."""

    READ_ONLY = "READ_ONLY"
    MUTATING = "MUTATING"
    MUTATING_GLOBAL = "MUTATING_GLOBAL"
    CONTROL = "CONTROL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Statement:
    """A statement as the engine's parser sees it.

    `canonical` is the engine's own rendering (`formatQuerySingleLine`): names unquoted where they
    can be, string literals in one quoting, an INSERT without its data. Empty for text that the
    engine cannot render, and for what is longer than a query may be.
    """

    kind: Kind
    count: int
    canonical: str

    @property
    def format(self) -> str | None:
        """The format that the statement's own FORMAT clause names."""
        found = _FORMAT.search(_skeleton(self.canonical))
        return found.group(1) if found else None

    @property
    def awaits_data(self) -> bool:
        """Whether it is an INSERT of what follows it, rather than of a SELECT or a file."""
        bare = _skeleton(self.canonical)
        return (
            self.kind in (Kind.MUTATING, Kind.CONTROL)  # CONTROL: INTO FUNCTION
            and bare.startswith("INSERT INTO ")
            and _FORMAT.search(bare) is not None
            and _OTHER_SOURCE.search(bare) is None
        )

    @property
    def without_format(self) -> str:
        """The statement up to its FORMAT clause."""
        return self.canonical.removesuffix(f" FORMAT {self.format}")


_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'")
_QUOTED_NAME = re.compile(r"`(?:[^`\\]|\\.)*`")
_OTHER_SOURCE = re.compile(r"\b(?:SELECT|WITH|FROM INFILE)\b")
_FORMAT = re.compile(r"\bFORMAT (\w+)(?: SETTINGS .*)?$")
_FILE_FUNCTION = re.compile(r"\bfile\b")
_INTO_OUTFILE = re.compile(r"\bINTO OUTFILE\b")


def check_single(statement: Statement) -> None:
    """Refuse several statements in one request, as ClickHouse's HTTP interface does.

    Raises:
        EngineError: SYNTAX_ERROR.
    """
    if statement.count > 1:
        raise EngineError.refused(
            Code.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)."
        )


def check_no_outfile(statement: Statement) -> None:
    """Refuse to write the result to a file of the server, which chdb would do.

    Raises:
        EngineError: UNKNOWN_TYPE_OF_QUERY.
    """
    if _INTO_OUTFILE.search(_without_literals(statement.canonical)):
        raise EngineError.refused(
            Code.UNKNOWN_TYPE_OF_QUERY,
            "INTO OUTFILE is for command-line clients: read the result from the response.",
        )


def check_reads_only(statement: Statement) -> None:
    """Refuse changes over GET, as ClickHouse does.

    Raises:
        EngineError: READONLY.
    """
    harmless = statement.kind is Kind.CONTROL and statement.canonical.startswith(("USE ", "SET "))
    if statement.kind not in (Kind.READ_ONLY, Kind.UNKNOWN) and not harmless:
        raise EngineError.refused(
            Code.READONLY,
            "Cannot execute query in readonly mode. For queries over HTTP, method GET implies "
            "readonly. You should use method POST for modifying queries.",
        )


def check_allowed(statement: Statement, account: Account) -> None:
    """Refuse what the analyst's role and `readonly = 1` leave open.

    The engine itself refuses every write, every setting and every table function that reads
    outside the database (users.xml, `EngineSession.restrict`). Three things remain: SET ROLE back
    to the owner, KILL QUERY of others (all sessions are one engine user), and the scalar function
    `file()`, which a ClickHouse server confines to a folder and chdb does not.

    Raises:
        EngineError: ACCESS_DENIED.
    """
    if not account.reads_only:
        return
    if statement.kind is Kind.CONTROL and not statement.canonical.startswith("USE "):
        raise EngineError.refused(
            Code.ACCESS_DENIED,
            f"{account.value}: Not enough privileges. This user may only read.",
        )
    unreadable = statement.kind is Kind.READ_ONLY and not statement.canonical
    if unreadable or _FILE_FUNCTION.search(_without_literals(statement.canonical)):
        raise EngineError.refused(
            Code.ACCESS_DENIED,
            f"{account.value}: Not enough privileges. "
            "To execute this query, it's necessary to have the grant READ ON FILE.",
        )


def _without_literals(canonical: str) -> str:
    return _LITERAL.sub("''", canonical)


def _skeleton(canonical: str) -> str:
    return _QUOTED_NAME.sub("``", _without_literals(canonical))
