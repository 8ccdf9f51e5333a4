"""Zip packages: what many formats are on disk, and the only place that unpacks one."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import PurePosixPath

from gyre_ingestor.refused import unreadable

MOST_UNPACKED = 256 * 1024 * 1024
"""Bytes of all members together. They are counted before anything is unpacked; `zipfile` reads no
more of a member than it declares."""

MOST_MEMBERS = 10_000


@contextmanager
def open_package(data: bytes) -> Iterator[zipfile.ZipFile]:
    """Raises DocumentRefused: it is none, is encrypted, or unpacks to too much."""
    try:
        package = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, EOFError) as error:
        raise unreadable(f"is a damaged package ({error})") from error
    with package:
        members = package.infolist()
        size = sum(member.file_size for member in members)
        if len(members) > MOST_MEMBERS or size > MOST_UNPACKED:
            raise unreadable(f"unpacks to {size / 1024**2:.0f} MiB in {len(members)} files")
        if any(member.flag_bits & 0x1 for member in members):
            raise unreadable("is encrypted")
        yield package


def note_on_embedded(package: zipfile.ZipFile) -> str:
    """Says how many files an office document holds that are not read with it; empty for none. The
    numbers behind a chart are no such file.
    """
    names = package.namelist()
    relations = [name for name in names if fnmatch(name, "*/charts/_rels/*.rels")]
    of_charts = b"".join(package.read(name) for name in relations)
    embedded = {PurePosixPath(name).name for name in names if fnmatch(name, "*/embeddings/*")}
    count = sum(name.encode() not in of_charts for name in embedded if name)
    if not count:
        return ""
    if count == 1:
        return "a file that is embedded in it is not read: send it as a document of its own"
    return (
        f"{count} files that are embedded in it are not read: send them as documents of their own"
    )


def member_text(package: zipfile.ZipFile, name: str) -> bytes:
    """Raises DocumentRefused where it is missing."""
    try:
        return package.read(name)
    except KeyError:
        raise unreadable(f"lacks its part {name[:100]!r}") from None
