"""What a statement is, in the engine's own words, and the last checks in front of the engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.errors import Code, EngineError


class StatementKind(Enum):
    """The engine's classes of statements (chdb's `query_class`)."""

    READ_ONLY = "READ_ONLY"
    MUTATING = "MUTATING"
    MUTATING_GLOBAL = "MUTATING_GLOBAL"
    CONTROL = "CONTROL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Token:
    """A piece of a statement and what the engine's parser takes it for (`highlightQuery`)."""

    text: str
    kind: str

    @property
    def name(self) -> str:
        """The name that it is, without quotes; empty for keywords, literals and operators."""
        return self.text.strip('`"') if self.kind in _NAMES else ""


@dataclass(frozen=True)
class SqlStatement:
    """A statement as the engine's parser sees it.

    `canonical` is the engine's own rendering (`formatQuerySingleLine`): names unquoted where they
    can be, string literals in one quoting, an INSERT without its data; `tokens` are its pieces.
    Both are empty for text that the engine cannot render, and for what is longer than a query may
    be.
    """

    kind: StatementKind
    count: int
    canonical: str
    tokens: Sequence[Token] = ()

    @property
    def format(self) -> str | None:
        """The format that the statement's own FORMAT clause names."""
        for at in range(len(self.tokens) - 2, -1, -1):
            if self.tokens[at] == _FORMAT:
                return self.tokens[at + 1].name or None
        return None

    @property
    def awaits_data(self) -> bool:
        """Whether it is an INSERT of what follows it, rather than of a SELECT or a file."""
        return (
            self.kind in (StatementKind.MUTATING, StatementKind.CONTROL)  # CONTROL: INTO FUNCTION
            and self.canonical.startswith("INSERT INTO ")
            and self.format is not None
            and not self.has_keyword("SELECT", "WITH", "FROM INFILE")
        )

    @property
    def without_format(self) -> str:
        """The statement up to its FORMAT clause."""
        return self.canonical.removesuffix(f" FORMAT {self.format}")

    def has_keyword(self, *keywords: str) -> bool:
        """Whether one of the keywords stands in it."""
        return any(token.kind == _KEYWORD and token.text in keywords for token in self.tokens)


_KEYWORD = "keyword"
_FORMAT = Token("FORMAT", _KEYWORD)
_NAMES = frozenset({"function", "identifier", "alias"})
_NO_GRANT_COVERS = frozenset({"file", "python"})


def check(statement: SqlStatement, account: Account, *, over_get: bool) -> None:
    """Refuse what ClickHouse's HTTP interface refuses, and what neither grants nor profiles cover.

    chdb itself would run several statements, and read and write files of this machine. Raises
    EngineError.
    """
    if statement.count > 1:
        raise EngineError.refusal(
            Code.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)."
        )
    if statement.has_keyword("INTO OUTFILE", "FROM INFILE"):
        raise EngineError.refusal(
            Code.UNKNOWN_TYPE_OF_QUERY,
            "INTO OUTFILE and FROM INFILE are for command-line clients: read the result from the "
            "response, send the data in the body.",
        )
    if account is Account.ANALYST:
        _check_analyst(statement)
    if over_get and not _is_harmless(statement):
        raise EngineError.refusal(
            Code.READONLY,
            "Cannot execute query in readonly mode. For queries over HTTP, method GET implies "
            "readonly. You should use method POST for modifying queries.",
        )


def _check_analyst(statement: SqlStatement) -> None:
    """Refuse what the analyst's role and profile leave open.

    The engine itself refuses every write, every setting out of bounds and every table function that
    reads outside the database (users.xml). Four things remain: SET ROLE back to the owner and KILL
    QUERY of others (all sessions are one engine user), the scalar function `file()`, which no grant
    covers, and `Python()`, which reads this process's own variables.
    """
    refused = f"{Account.ANALYST.value}: Not enough privileges. "
    if statement.kind is StatementKind.CONTROL and not statement.canonical.startswith("USE "):
        raise EngineError.refusal(Code.ACCESS_DENIED, f"{refused}This user may only read.")
    unreadable = statement.kind is StatementKind.READ_ONLY and not statement.tokens
    names = {token.name.lower() for token in statement.tokens}
    if unreadable or names & _NO_GRANT_COVERS:
        raise EngineError.refusal(
            Code.ACCESS_DENIED,
            f"{refused}To execute this query, it's necessary to have the grant READ ON FILE.",
        )


def _is_harmless(statement: SqlStatement) -> bool:
    if statement.kind is StatementKind.CONTROL:
        return statement.canonical.startswith(("USE ", "SET "))
    return statement.kind in (StatementKind.READ_ONLY, StatementKind.UNKNOWN)
