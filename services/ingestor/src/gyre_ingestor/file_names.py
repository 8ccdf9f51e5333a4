"""What the name of a file says of it: whether it is a document, and of which kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from gyre_ingestor.formats import FORMATS

BY_ENDING: Mapping[str, str] = MappingProxyType(
    {ending: name for name, each in FORMATS.items() for ending in each.endings}
)
"""Media types by the ending of a file's name."""

_SNIFFED = 8192


def media_type_by_name(name: str) -> str:
    """What a file's name says; empty where it says nothing."""
    return BY_ENDING.get(PurePosixPath(name).suffix.lower(), "")


@dataclass(frozen=True)
class FileRules:
    """Which files are documents, by their names alone: as `gyre submit` has it for folders."""

    include: tuple[str, ...] = ()

    def take(self, path: str) -> bool:
        """Whether a file at this path is one: neither hidden nor of another ending."""
        parts = PurePosixPath(path).parts
        if any(part.startswith(".") for part in parts):
            return False
        name = parts[-1] if parts else ""
        if self.include and not any(fnmatch(name, pattern) for pattern in self.include):
            return False
        suffix = PurePosixPath(name).suffix.lower()
        return not suffix or suffix in BY_ENDING


def is_binary(file: Path) -> bool:
    """Of a file without an ending: no text. Raises OSError."""
    with file.open("rb") as content:
        return b"\0" in content.read(_SNIFFED)
