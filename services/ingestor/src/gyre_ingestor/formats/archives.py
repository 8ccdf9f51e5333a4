"""Archives: files in one file, each of which is a document of its own."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import BinaryIO

from gyre_ingestor.formats.format import Member
from gyre_ingestor.formats.packages import MOST_UNPACKED, open_package
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.signatures import is_tar
from gyre_ingestor.refused import unreadable

_HEAD = 512
_Open = Callable[[BinaryIO], BinaryIO]
_COMPRESSIONS: Mapping[bytes, _Open] = MappingProxyType(
    {
        b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),  # type: ignore[dict-item,return-value]
        b"BZh": bz2.open,  # type: ignore[dict-item]
        b"\xfd7zXZ\0": lzma.open,  # type: ignore[dict-item]
    }
)

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
)
"""What an archive raises that is damaged, or made as no library here reads it."""


def is_compressed(data: bytes) -> bool:
    """One file, or a tar archive, by gzip, bzip2 or xz."""
    return data.startswith(tuple(_COMPRESSIONS))


def parse_archive(_: bytes, __: str | None) -> ParsedDocument:
    """It has no text of its own."""
    return ParsedDocument(title="", text="", sections=())


def zip_members(data: bytes, _: str) -> Iterator[Member]:
    """Raises DocumentRefused: it is damaged, encrypted or unpacks to too much; or `DAMAGE`."""
    with open_package(data) as package:
        for info in package.infolist():
            if not info.is_dir():
                with package.open(info) as file:
                    yield info.filename, file  # type: ignore[misc]


def tar_members(data: bytes, _: str) -> Iterator[Member]:
    """Plain files alone: links and devices are no documents. Raises as `zip_members` does."""
    yield from _tar_members(io.BytesIO(data))


def compressed_members(data: bytes, name: str) -> Iterator[Member]:
    """The one file, called as the archive without its last ending; or the members of a tar file.
    Raises as `zip_members` does.
    """
    expand = next(each for mark, each in _COMPRESSIONS.items() if data.startswith(mark))
    with expand(io.BytesIO(data)) as file:
        is_of_tar = is_tar(file.read(_HEAD))
    with expand(io.BytesIO(data)) as file:
        if is_of_tar:
            yield from _tar_members(file)
        else:
            yield PurePosixPath(name).stem or "content", file


def _tar_members(file: BinaryIO) -> Iterator[Member]:
    """As a stream: what is passed over costs its bytes too, and they count."""
    passed = 0
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for info in archive:
            passed += info.size
            if passed > MOST_UNPACKED:
                raise unreadable(f"unpacks to more than {MOST_UNPACKED // 1024**2} MiB")
            content = archive.extractfile(info) if info.isfile() else None
            if content is not None:
                yield info.name, content  # type: ignore[misc]
