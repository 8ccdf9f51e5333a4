"""The last checks in front of the engine, on what the engine's parser says of a statement."""

import pytest
from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.errors import EngineError
from gyre_local.clickhouse_endpoint.statement import (
    SqlStatement,
    StatementKind,
    Token,
    check,
)

Pair = tuple[str, str]
SELECT: Pair = ("SELECT", "keyword")
FORMAT: Pair = ("FORMAT", "keyword")


def statement(
    canonical: str, *tokens: Pair, kind: StatementKind = StatementKind.READ_ONLY
) -> SqlStatement:
    return SqlStatement(kind, 1, canonical, tuple(Token(*token) for token in tokens))


def insert(canonical: str, *tokens: Pair) -> SqlStatement:
    return statement(canonical, ("INSERT INTO", "keyword"), *tokens, kind=StatementKind.MUTATING)


def check_as_owner(one: SqlStatement) -> None:
    check(one, Account.DEFAULT, over_get=False)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([SELECT, ("1", "number")], None),
        ([SELECT, ("1", "number"), FORMAT, ("JSON", "identifier")], "JSON"),
        ([SELECT, FORMAT, ("CSV", "identifier"), ("SETTINGS", "keyword")], "CSV"),
        ([SELECT, ("' FORMAT JSON'", "string")], None),
        ([SELECT, ("`FORMAT`", "identifier"), ("JSON", "alias")], None),
    ],
)
def test_the_format_is_that_of_the_statements_own_clause(
    tokens: list[Pair], expected: str | None
) -> None:
    assert statement("SELECT …", *tokens).format == expected


def test_an_insert_that_awaits_data_is_known_without_its_format() -> None:
    table = ("t", "identifier")
    awaiting = insert("INSERT INTO t FORMAT Native", table, FORMAT, ("Native", "identifier"))
    assert awaiting.awaits_data
    assert awaiting.without_format == "INSERT INTO t"


@pytest.mark.parametrize("source", [SELECT, ("WITH", "keyword"), ("FROM INFILE", "keyword")])
def test_what_brings_its_own_rows_awaits_no_data(source: Pair) -> None:
    csv = ("CSV", "identifier")
    assert not insert("INSERT INTO t …", ("t", "identifier"), source, FORMAT, csv).awaits_data
    assert not insert("INSERT INTO t …", ("t", "identifier"), source).awaits_data


def test_a_table_named_select_does_not_confuse() -> None:
    quoted = ("`SELECT`", "identifier")
    assert insert("INSERT INTO `SELECT` …", quoted, FORMAT, ("CSV", "identifier")).awaits_data


def test_several_statements_are_one_too_many() -> None:
    with pytest.raises(EngineError) as excinfo:
        check_as_owner(SqlStatement(StatementKind.READ_ONLY, 2, ""))
    assert (excinfo.value.code, excinfo.value.status) == (62, 400)


@pytest.mark.parametrize("clause", ["INTO OUTFILE", "FROM INFILE"])
def test_nobody_reads_or_writes_files_of_the_server(clause: str) -> None:
    with pytest.raises(EngineError):
        check_as_owner(statement("…", (clause, "keyword"), ("'x'", "string")))
    check_as_owner(statement("…", SELECT, (f"' {clause} '", "string")))


@pytest.mark.parametrize(
    "refused_one",
    [
        statement("…", SELECT, ("file", "function"), ("'/etc/passwd'", "string")),
        statement("…", SELECT, ("`file`", "function")),
        statement("…", SELECT, ("APPLY", "keyword"), ("file", "identifier")),
        statement("…", SELECT, ("Python", "function"), ("passwords", "identifier")),
        statement(""),
        statement("SET ROLE owner", ("SET ROLE", "keyword"), kind=StatementKind.CONTROL),
        statement("KILL QUERY WHERE 1", ("KILL QUERY", "keyword"), kind=StatementKind.CONTROL),
    ],
)
def test_the_analyst_cannot_do_what_the_engine_would_let_pass(refused_one: SqlStatement) -> None:
    with pytest.raises(EngineError) as excinfo:
        check(refused_one, Account.ANALYST, over_get=False)
    assert (excinfo.value.code, excinfo.value.status) == (497, 403)
    check_as_owner(refused_one)


@pytest.mark.parametrize(
    "allowed",
    [
        statement("…", SELECT, ("'file('", "string"), ("profile", "identifier")),
        statement("USE gyre", ("USE", "keyword"), kind=StatementKind.CONTROL),
        SqlStatement(StatementKind.UNKNOWN, 0, ""),
    ],
)
def test_the_analyst_may_read_and_misspell(allowed: SqlStatement) -> None:
    check(allowed, Account.ANALYST, over_get=True)


@pytest.mark.parametrize("canonical", ["SYSTEM FLUSH LOGS", "KILL QUERY WHERE 1", "DROP TABLE t"])
def test_nothing_is_changed_over_get(canonical: str) -> None:
    for kind in (StatementKind.CONTROL, StatementKind.MUTATING, StatementKind.MUTATING_GLOBAL):
        with pytest.raises(EngineError) as excinfo:
            check(statement(canonical, kind=kind), Account.DEFAULT, over_get=True)
        assert (excinfo.value.code, excinfo.value.status) == (164, 403)
    check(statement("SET x = 1", kind=StatementKind.CONTROL), Account.DEFAULT, over_get=True)
