"""Brings a ClickHouse database up to the schema that the files `NNNN_what.sql` say."""

import hashlib
import importlib.resources
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.asyncclient import AsyncClient
from gyre_common.errors import FailedPrecondition, NotFound

from gyre_telemetry.clickhouse import DATABASE, clickhouse_errors

log = logging.getLogger(__name__)

JOURNAL = (
    "CREATE DATABASE IF NOT EXISTS gyre COMMENT 'Gyre: what was asked, answered, judged and said'",
    """
    CREATE TABLE IF NOT EXISTS gyre.migrations
    (
        name       String COMMENT 'File of the migration',
        digest     String COMMENT 'sha256 of its text when it was applied',
        applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When'
    )
    ENGINE = ReplacingMergeTree(applied_at)
    ORDER BY name
    COMMENT 'The migrations that made this schema'
    """,
)

_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|\Z)")
_COMMENT_LINE = re.compile(r"^[ \t]*--.*$", re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One file. Its statements end with a semicolon at the end of a line.

    A statement may run again after one that was cut off: `IF NOT EXISTS`, `OR REPLACE`.
    """

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """sha256 of the text, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> tuple[str, ...]:
        """In order, without semicolons; what holds nothing but comments is left out."""
        parts = (part.strip() for part in _END_OF_STATEMENT.split(self.sql))
        return tuple(part for part in parts if _COMMENT_LINE.sub("", part).strip())


def default_folder() -> Path:
    """The migrations inside the installed package; in a checkout, those of infra/clickhouse."""
    packaged = Path(str(importlib.resources.files("gyre_telemetry").joinpath("migrations")))
    checkout = Path(__file__).parents[4] / "infra" / "clickhouse" / "migrations"
    return packaged if packaged.is_dir() else checkout


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """The migrations of a folder, in order. Raises NotFound where there are none,
    FailedPrecondition where a name is not `NNNN_what.sql` or a number comes twice.
    """
    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise NotFound(
            f"no migrations in {folder}: set GYRE_MIGRATIONS to the folder that has them"
        )
    for before, path in zip([None, *paths], paths, strict=False):
        if not _NAME.match(path.name):
            raise FailedPrecondition(f"{path} is not named as a migration: NNNN_what.sql")
        if before and before.name[:4] == path.name[:4]:
            raise FailedPrecondition(f"{before.name} and {path.name} have one number: rename one")
    return tuple(Migration(path.name, path.read_text("utf-8")) for path in paths)


def pending_migrations(
    migrations: Sequence[Migration], applied: Mapping[str, str]
) -> tuple[Migration, ...]:
    """Those to apply now, given the digest by name of those that were. A database may know others:
    an older service on a newer schema.

    Raises FailedPrecondition where an applied file was changed, or a new one stands before it.
    """
    last = max((m.name for m in migrations if m.name in applied), default="")
    for migration in migrations:
        if applied.get(migration.name, migration.digest) != migration.digest:
            raise FailedPrecondition(
                f"migration {migration.name} was changed after it was applied: put it back as it "
                "was, and make the change in a new migration"
            )
        if migration.name not in applied and migration.name < last:
            raise FailedPrecondition(
                f"migration {migration.name} comes before {last}, which is applied: "
                "give it the next free number"
            )
    return tuple(m for m in migrations if m.name not in applied)


async def migrate(client: AsyncClient, migrations: Sequence[Migration]) -> None:
    """Apply what is missing, in order, and write it down. Two services that start at once both do:
    every statement may run twice. Raises as `pending_migrations`, and Unavailable.
    """
    with clickhouse_errors():
        for statement in JOURNAL:
            await client.command(statement)
        rows = (await client.query("SELECT name, digest FROM gyre.migrations FINAL")).result_rows
    applied = {str(name): str(digest) for name, digest in rows}
    for migration in pending_migrations(migrations, applied):
        with clickhouse_errors():
            for statement in migration.statements:
                await client.command(statement)
            await client.insert(
                "migrations",
                [[migration.name, migration.digest]],
                column_names=["name", "digest"],
                database=DATABASE,
            )
        log.info("migrated", extra={"migration": migration.name})
