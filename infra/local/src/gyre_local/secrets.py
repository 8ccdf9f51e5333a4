"""What the engines ask of their callers: made at the first start, kept in files of their owner."""

import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gyre_common.settings import secrets_folder

from gyre_local.errors import HomeError

CLICKHOUSE_PASSWORD = "gyre_clickhouse_password"  # noqa: S105 - a file's name
ELASTICSEARCH_PASSWORD = "gyre_elasticsearch_password"  # noqa: S105 - a file's name
LANGUAGE_MODEL_KEY = "gyre_llm_key"
SESSION_SECRET = "gyre_session_secret"  # noqa: S105 - a file's name
NAMES = (CLICKHOUSE_PASSWORD, ELASTICSEARCH_PASSWORD, LANGUAGE_MODEL_KEY, SESSION_SECRET)


@dataclass(frozen=True)
class Secret:
    """One secret of a home. Its file is called as the variable of the services that need it."""

    path: Path

    @classmethod
    def of(cls, home: Path, name: str) -> "Secret":
        """The secret of that name; nothing is touched yet."""
        return cls(secrets_folder(home) / name)

    def ensure(self) -> None:
        """Make it unless it is there, and let nobody but the owner read it. Raises HomeError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.parent.chmod(0o700)
            if not self.path.exists():
                self._write()
            self.path.chmod(0o600)
        except OSError as error:
            raise HomeError(f"cannot keep a secret in {self.path}: {error.strerror}") from error

    def rotate(self) -> None:
        """Put a new one in its place; whoever runs keeps the old one. Raises HomeError."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise HomeError(f"cannot replace {self.path}: {error.strerror}") from error
        self.ensure()

    def read(self) -> str:
        """Raises OSError where it is not there."""
        return self.path.read_text().strip()

    def _write(self) -> None:
        # Whole or not at all, and never over one that another process has just made.
        with tempfile.NamedTemporaryFile("w", dir=self.path.parent) as draft:
            draft.write(secrets.token_urlsafe(32))
            draft.flush()
            os.fsync(draft.fileno())
            with suppress(FileExistsError):
                os.link(draft.name, self.path)
