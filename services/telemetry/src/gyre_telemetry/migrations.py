"""What the schema's files say, and which of them a database still lacks."""

import hashlib
import importlib.resources
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gyre_common.errors import FailedPrecondition, NotFound

_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|\Z)")
_COMMENT_LINE = re.compile(r"^[ \t]*--.*$", re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One file, `NNNN_what.sql`. Its statements end with a semicolon at the end of a line.

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


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """The migrations of a folder, in order.

    Raises:
        NotFound: there are none.
        FailedPrecondition: a file's name is not `NNNN_what.sql`, or a number comes twice.
    """
    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise NotFound(
            f"no migrations in {folder}: set GYRE_MIGRATIONS to the folder that has them"
        )
    for path in paths:
        if not _NAME.match(path.name):
            raise FailedPrecondition(f"{path} is not named as a migration: NNNN_what.sql")
    for one, other in itertools.pairwise(paths):
        if one.name[:4] == other.name[:4]:
            raise FailedPrecondition(f"{one.name} and {other.name} have one number: rename one")
    return tuple(Migration(path.name, path.read_text("utf-8")) for path in paths)


def default_folder() -> Path:
    """The migrations inside the installed package; in a checkout, those of infra/clickhouse."""
    packaged = Path(str(importlib.resources.files("gyre_telemetry").joinpath("migrations")))
    if packaged.is_dir():
        return packaged
    return Path(__file__).parents[4] / "infra" / "clickhouse" / "migrations"


def pending_migrations(
    migrations: Sequence[Migration], digests_by_name: Mapping[str, str]
) -> tuple[Migration, ...]:
    """Those to apply now, given the name and digest of those that were.

    A database may know migrations that these files do not: an older service on a newer schema.

    Raises:
        FailedPrecondition: an applied file was changed, or a new one stands before an applied one.
    """
    for migration in migrations:
        if digests_by_name.get(migration.name, migration.digest) != migration.digest:
            raise FailedPrecondition(
                f"migration {migration.name} was changed after it was applied: put it back as it "
                "was, and make the change in a new migration"
            )
    missing = tuple(m for m in migrations if m.name not in digests_by_name)
    last = max((m.name for m in migrations if m.name in digests_by_name), default="")
    for migration in missing:
        if migration.name < last:
            raise FailedPrecondition(
                f"migration {migration.name} comes before {last}, which is applied: "
                "give it the next free number"
            )
    return missing
