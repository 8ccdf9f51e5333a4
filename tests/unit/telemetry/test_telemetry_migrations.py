"""The rules of the schema's files."""

from pathlib import Path

import pytest
from gyre_common.errors import FailedPrecondition, NotFound
from gyre_telemetry.migrations import Migration, default_folder, pending_migrations, read_migrations

ONE = Migration("0001_one.sql", "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory;\n")
TWO = Migration("0002_two.sql", "CREATE TABLE IF NOT EXISTS b (x Int8) ENGINE = Memory;\n")


def test_statements_end_with_a_semicolon_at_the_end_of_a_line() -> None:
    sql = "-- why\nSELECT 'a;b';\n\n-- only a comment\n;\nSELECT 2"
    assert Migration("0001_x.sql", sql).statements == ("-- why\nSELECT 'a;b'", "SELECT 2")


def test_only_what_is_missing_is_applied_and_in_order() -> None:
    assert pending_migrations([ONE, TWO], {}) == (ONE, TWO)
    assert pending_migrations([ONE, TWO], {ONE.name: ONE.digest}) == (TWO,)
    assert pending_migrations([ONE, TWO], {ONE.name: ONE.digest, TWO.name: TWO.digest}) == ()


def test_an_applied_migration_that_was_changed_is_refused_with_what_to_do() -> None:
    with pytest.raises(FailedPrecondition, match=r"0001_one\.sql was changed .* new migration"):
        pending_migrations([ONE, TWO], {ONE.name: "another digest"})


def test_a_migration_slipped_in_before_an_applied_one_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match="next free number"):
        pending_migrations([ONE, TWO], {TWO.name: TWO.digest})


def test_a_database_may_be_newer_than_the_service() -> None:
    assert pending_migrations([ONE], {ONE.name: ONE.digest, TWO.name: TWO.digest}) == ()


def test_a_folder_without_migrations_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="GYRE_MIGRATIONS"):
        read_migrations(tmp_path)


@pytest.mark.parametrize("names", [["1_x.sql"], ["0001_A.sql"], ["0001_a.sql", "0001_b.sql"]])
def test_names_that_leave_the_order_open_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(FailedPrecondition):
        read_migrations(tmp_path)


def test_the_schemas_own_files_can_all_run_again() -> None:
    for migration in read_migrations(default_folder()):
        for statement in migration.statements:
            assert "IF NOT EXISTS" in statement or "CREATE OR REPLACE" in statement, statement[:80]
