"""Brings a ClickHouse database up to the schema."""

import logging
from collections.abc import Sequence

from clickhouse_connect.driver.asyncclient import AsyncClient

from gyre_telemetry.clickhouse import clickhouse_errors
from gyre_telemetry.migrations import Migration, pending_migrations

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


async def migrate(client: AsyncClient, migrations: Sequence[Migration]) -> None:
    """Apply what is missing, in order, and write it down.

    Two services that start at once both apply it: every statement may run twice, and the journal
    keeps one line a file.

    Raises:
        FailedPrecondition: an applied migration was changed.
        Unavailable: ClickHouse is not there.
    """
    with clickhouse_errors():
        for statement in JOURNAL:
            await client.command(statement)
        rows = (await client.query("SELECT name, digest FROM gyre.migrations FINAL")).result_rows
    for migration in pending_migrations(
        migrations, {str(name): str(digest) for name, digest in rows}
    ):
        with clickhouse_errors():
            for statement in migration.statements:
                await client.command(statement)
            await client.insert(
                "migrations",
                [[migration.name, migration.digest]],
                column_names=["name", "digest"],
                database="gyre",
            )
        log.info("migrated", extra={"migration": migration.name})
