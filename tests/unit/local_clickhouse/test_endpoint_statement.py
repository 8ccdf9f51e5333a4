"""The last checks in front of the engine, on the engine's own rendering of a statement."""

import pytest
from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.errors import EngineError
from gyre_local.clickhouse_endpoint.statement import (
    Kind,
    Statement,
    check_allowed,
    check_no_outfile,
    check_single,
)


def select(canonical: str) -> Statement:
    return Statement(Kind.READ_ONLY, 1, canonical)


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [
        ("SELECT 1", None),
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        ("SELECT ' FORMAT JSON'", None),
        ("SELECT 1 AS FORMAT", None),
        (r"SELECT 'it\'s FORMAT JSON'", None),
    ],
)
def test_the_format_is_that_of_the_statements_own_clause(
    canonical: str, expected: str | None
) -> None:
    assert select(canonical).format == expected


def test_an_insert_that_awaits_data_is_known_without_its_format() -> None:
    insert = Statement(Kind.MUTATING, 1, "INSERT INTO t (a, b) FORMAT Native")
    assert insert.awaits_data
    assert insert.without_format == "INSERT INTO t (a, b)"


@pytest.mark.parametrize(
    "canonical",
    [
        "INSERT INTO t SELECT 1 FORMAT CSV",
        "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        "INSERT INTO t SELECT 1",
        "CREATE TABLE t (a UInt8) ENGINE = Memory",
    ],
)
def test_what_brings_its_own_rows_awaits_no_data(canonical: str) -> None:
    assert not Statement(Kind.MUTATING, 1, canonical).awaits_data


def test_a_table_named_select_does_not_confuse() -> None:
    assert Statement(Kind.MUTATING, 1, "INSERT INTO `SELECT` FORMAT CSV").awaits_data


def test_several_statements_are_one_too_many() -> None:
    with pytest.raises(EngineError) as refused:
        check_single(Statement(Kind.READ_ONLY, 2, ""))
    assert (refused.value.code, refused.value.status) == (62, 400)


def test_a_result_cannot_go_to_a_file_of_the_server() -> None:
    with pytest.raises(EngineError):
        check_no_outfile(Statement(Kind.CONTROL, 1, "SELECT 1 INTO OUTFILE 'x'"))
    check_no_outfile(select("SELECT ' INTO OUTFILE '"))


@pytest.mark.parametrize(
    "statement",
    [
        select("SELECT file('/etc/passwd')"),
        select("SELECT * APPLY file FROM t"),
        select("SHOW TABLES WHERE file('x') = 'y'"),
        select(""),
        Statement(Kind.CONTROL, 1, "SET ROLE owner"),
        Statement(Kind.CONTROL, 1, "KILL QUERY WHERE 1"),
    ],
)
def test_the_analyst_cannot_do_what_the_engine_would_let_pass(statement: Statement) -> None:
    with pytest.raises(EngineError) as refused:
        check_allowed(statement, Account.ANALYST)
    assert (refused.value.code, refused.value.status) == (497, 403)
    check_allowed(statement, Account.DEFAULT)


@pytest.mark.parametrize(
    "statement",
    [
        select("SELECT 'file(', profile FROM t"),
        Statement(Kind.CONTROL, 1, "USE gyre"),
        Statement(Kind.UNKNOWN, 0, ""),
    ],
)
def test_the_analyst_may_read_and_misspell(statement: Statement) -> None:
    check_allowed(statement, Account.ANALYST)
