"""What every kind of source has in common: settings in, items and problems out."""

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from gyre_common.errors import GyreError, InvalidInput
from gyre_common.events.event import DEFAULT_TENANT
from pydantic import BaseModel, ConfigDict

_SECRET = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


class SourceUnreachable(GyreError):
    """A source as a whole cannot be read now; the message says why and what to do."""


class ItemUnreadable(GyreError):
    """One item cannot be read now; the others can."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of an item that was brought: `notes` are the kind's own.

    `done` says that the sync under way has looked at it already, in a part before this one. An
    item that is to be submitted again, whatever it is like, has no fingerprint.
    """

    fingerprint: str
    notes: Mapping[str, str] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A document that is there. It is read only if its fingerprint is not the known one.

    `read` gives its bytes in pieces, and raises ItemUnreadable.
    """

    name: str
    fingerprint: str
    read: Callable[[], AsyncGenerator[bytes, None]]
    title: str = ""
    source_uri: str = ""
    media_type: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """An item that is there and cannot be read; without a name, a part of the listing is missing.

    Nothing is deleted for what a problem speaks of.
    """

    detail: str
    name: str = ""


@dataclass
class Cursor:
    """Where a kind is that does not list anew for each part of a sync: `text` is what it dumped in
    the part before, empty at first. It says where it is once all that it gave has been dealt with.
    """

    text: str = ""
    dump: Callable[[], str] = str


class Source(Protocol):
    """A place that was configured."""

    def items(
        self, known: Mapping[str, Known], cursor: Cursor
    ) -> AsyncGenerator[Item | Problem, None]:
        """All that is there, each name once; with a cursor what is left of it.

        Raises SourceUnreachable: the listing cannot be made, or breaks off.
        """

    async def close(self) -> None:
        """No item is read any more."""


@dataclass(frozen=True)
class Surroundings:
    """What the operator of this process lets sources do.

    `roots` are the folders that may be read, `stores` the places elsewhere that may be read as
    whoever runs this process; `secrets` holds a folder of secrets a tenant, `cache` may be filled
    with what can be fetched again.
    """

    roots: Sequence[Path]
    secrets: Path
    cache: Path
    stores: Sequence[str] = ()
    private_addresses: bool = False
    max_bytes: int = 20 * 1024 * 1024
    tenant: str = DEFAULT_TENANT

    def folder_of(self, setting: str, path: str) -> tuple[Path, tuple[str, ...]]:
        """The root that holds a path, and the parts below it. Raises InvalidInput."""
        pure = PurePosixPath(path)
        if not pure.is_absolute() or ".." in pure.parts:
            raise InvalidInput(setting, f"is {path}", "write an absolute path without '..'")
        for root in self.roots:
            if pure.is_relative_to(root):
                return root, pure.relative_to(root).parts
        fix = "put it under GYRE_ALLOWED_CONTENT_ROOTS of the ingestor, or name a folder there"
        raise InvalidInput(setting, f"is {path}, which may not be read", fix)

    def secret(self, setting: str, name: str) -> str:
        """What the operator wrote into the tenant's secret of that name. Raises InvalidInput."""
        if not _SECRET.fullmatch(name):
            fix = "name a file there: letters, digits, '.', '_' and '-'"
            raise InvalidInput(setting, "cannot be the name of a secret", fix)
        file = self.secrets / self.tenant / name
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            problem = f"is {name}, which cannot be read"
            raise InvalidInput(setting, problem, f"write it into {file}") from error


class SourceSettings(BaseModel):
    """The settings of a kind: text in, checked values out."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True)
class SourceKind:
    """How a kind is configured and opened. `open` reaches nothing: it raises InvalidInput for what
    can be told from the settings alone.
    """

    settings: type[SourceSettings]
    open: Callable[[Any, Surroundings], Source]

    def watched_folder(self, settings: SourceSettings) -> str:
        """A folder of this machine whose changes are to be synced at once; empty for none."""
        watched: bool = getattr(settings, "watch", False)
        return str(getattr(settings, "path", "")) if watched else ""
