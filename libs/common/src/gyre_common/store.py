"""Content by its digest or by a name, in any store that fsspec knows: a folder, S3, GCS."""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import fsspec

from gyre_common.errors import GyreError, InvalidInput, NotFound, Retryable

T = TypeVar("T")


@dataclass(frozen=True)
class ContentRef:
    """Where content lies and what it must be: `digest` is `sha256:` and 64 hex digits."""

    uri: str
    digest: str
    size_bytes: int = 0


class DamagedContentError(GyreError):
    """The store holds other bytes than the digest says."""


def digest_of(data: bytes) -> str:
    """`sha256:` and the hex digest."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Store:
    """Keeps immutable content under `<url>/sha256/<two digits>/<digest>`.

    Putting the same bytes twice keeps one; a reader never sees half of a put.

    Raises, from every method: Retryable when the store is full, read-only or out of reach.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def put(self, data: bytes) -> ContentRef:
        """Return once the bytes are safe."""
        digest = digest_of(data)
        ref = ContentRef(uri=self.uri(digest), digest=digest, size_bytes=len(data))
        await self._write(_put_content, ref.uri, data)
        return ref

    async def put_stream(self, pieces: AsyncIterable[bytes]) -> ContentRef:
        """As `put`, of content that is never held whole; nothing stays of pieces that break off."""
        sha256, size = hashlib.sha256(), 0
        temporary = await self._write(_new_file, self._url)
        try:
            async for piece in pieces:
                sha256.update(piece)
                size += len(piece)
                await self._write(temporary.write, piece)
            digest = f"sha256:{sha256.hexdigest()}"
            await self._write(_move, temporary, self.uri(digest))
        finally:
            _remove(temporary)
        return ContentRef(uri=self.uri(digest), digest=digest, size_bytes=size)

    async def get(self, uri: str, digest: str) -> bytes:
        """Read content back, also that of a `DatedStore` in a folder of this store.

        Raises:
            InvalidInput: `uri` lies outside this store.
            NotFound: nothing is there.
            DamagedContentError: the bytes are not those that the digest names.
        """
        own = self.uri(digest)
        if uri != own and not self._is_dated(uri, own):
            raise InvalidInput("uri", "is not this store's", f"only read what lies in {self._url}")
        data = await _in_thread("read from", self._url, _get, uri)
        if digest_of(data) != digest:
            raise DamagedContentError(
                f"{uri} does not hold the content that it is named after: bring the file back from "
                "a copy, or do without what it belongs to"
            )
        return data

    async def delete(self, digest: str) -> None:
        """Remove content; what is not there is fine."""
        await self._write(_delete, self.uri(digest))

    def uri(self, digest: str) -> str:
        """Where content of that digest lies, or would lie. Raises InvalidInput: it is malformed."""
        algorithm, _, name = digest.partition(":")
        if algorithm != "sha256" or not _HEX_DIGEST.fullmatch(name):
            raise InvalidInput("digest", "is malformed", "write sha256: and 64 hex digits")
        return f"{self._url}/{algorithm}/{name[:2]}/{name}"

    def _is_dated(self, uri: str, own: str) -> bool:
        """Whether it names the same content, in a folder of a day."""
        place = own.removeprefix(self._url)
        folder = uri.removeprefix(self._url).removesuffix(place)
        return uri == f"{self._url}{folder}{place}" and bool(_DATED_FOLDER.fullmatch(folder))

    async def _write(self, work: Callable[..., T], *arguments: Any) -> T:
        return await _in_thread("write to", self._url, work, *arguments)


class Shelf:
    """Named content under `<url>/<folder>/<name>`, where names matter: segments, data sets.

    A name keeps its first content until it is deleted; a reader never sees half of a put. Names are
    parts of letters, digits, `.`, `_` and `-` with `/` between them; no part begins with a dot.

    Raises, from every method: Retryable when the store is full, read-only or out of reach;
    InvalidInput for a name that cannot be one.
    """

    def __init__(self, url: str, folder: str) -> None:
        self._url = f"{url.rstrip('/')}/{folder}"

    async def put(self, name: str, data: bytes) -> None:
        """Return once the bytes are safe. A name that is taken keeps what it has."""
        await _in_thread("write to", self._url, _put_once, self._uri(name), data)

    async def replace(self, name: str, data: bytes) -> None:
        """Return once the bytes are safe, in the place of whatever stood under the name."""
        await _in_thread("write to", self._url, _replace, self._uri(name), data)

    async def get(self, name: str) -> bytes:
        """What stands under the name. Raises NotFound."""
        return await _in_thread("read from", self._url, _get, self._uri(name))

    async def names(self, folder: str = "") -> list[str]:
        """Every name in that folder and below, in order."""
        return list(await self.sizes(folder))

    async def sizes(self, folder: str = "") -> dict[str, int]:
        """As `names`, with how many bytes each has."""
        below = self._uri(folder) if folder else self._url
        return await _in_thread("read from", self._url, _sizes, below, self._url)

    async def delete(self, name: str) -> None:
        """Remove a name; one that is not there is fine."""
        await _in_thread("write to", self._url, _delete, self._uri(name))

    def _uri(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                "name", "cannot be kept", "use letters, digits, '.', '_' and '-', and '/' between"
            )
        return f"{self._url}/{name}"


_DATED_FOLDER = re.compile(r"/[a-z]+/\d{4}-\d{2}-\d{2}", re.ASCII)
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_TEMPORARY = ".put-"


async def _in_thread(action: str, root: str, work: Callable[..., T], *arguments: Any) -> T:
    try:
        return await asyncio.to_thread(work, *arguments)
    except OSError as error:
        raise Retryable(f"cannot {action} {root}: {error.strerror or error}") from error


def _open_filesystem(uri: str) -> tuple[Any, str]:
    filesystem, path = fsspec.core.url_to_fs(uri)
    filesystem.invalidate_cache()  # some file systems keep listings that others have changed since
    return filesystem, path


def _get(uri: str) -> bytes:
    filesystem, path = fsspec.core.url_to_fs(uri)
    try:
        content: bytes = filesystem.cat_file(path)
    except FileNotFoundError as error:
        raise NotFound(f"{uri} is not in the store") from error
    return content


def _sizes(below: str, root: str) -> dict[str, int]:
    filesystem, path = _open_filesystem(below)
    try:
        files: dict[str, Any] = filesystem.find(path, detail=True)
    except FileNotFoundError:
        return {}
    prefix = fsspec.core.url_to_fs(root)[1]
    sizes = {path.removeprefix(prefix).lstrip("/"): files[path]["size"] or 0 for path in files}
    return {
        name: sizes[name] for name in sorted(sizes) if not Path(name).name.startswith(_TEMPORARY)
    }


def _put_content(uri: str, data: bytes) -> None:
    filesystem, path = fsspec.core.url_to_fs(uri)
    try:
        whole = filesystem.size(path) == len(data)
    except FileNotFoundError:
        whole = False
    if not whole:
        _replace(uri, data)


def _new_file(root: str) -> BinaryIO:
    """Where a store is a folder it lies there, so that it only has to change its name."""
    folder = _open_filesystem(root)[1] if root.startswith("file://") else None
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=folder)
    os.close(descriptor)
    return Path(name).open("wb")


def _move(file: BinaryIO, uri: str) -> None:
    file.flush()
    filesystem, path = _open_filesystem(uri)
    if not uri.startswith("file://"):
        filesystem.put_file(file.name, path)
        return
    os.fsync(file.fileno())
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(file.name).replace(path)
    _sync_folder(Path(path).parent)


def _remove(file: BinaryIO) -> None:
    with suppress(OSError):  # of a full disk, which was said already
        file.close()
    Path(file.name).unlink(missing_ok=True)


def _put_once(uri: str, data: bytes) -> None:
    filesystem, path = _open_filesystem(uri)
    with suppress(FileExistsError):
        if not uri.startswith("file://"):
            filesystem.pipe_file(path, data, mode="create")
        elif not filesystem.exists(path):
            # Unlike a rename, a link never takes the place of a file that came first.
            with _safe_file(Path(path), data) as temporary:
                Path(path).hardlink_to(temporary)


def _replace(uri: str, data: bytes) -> None:
    filesystem, path = _open_filesystem(uri)
    if uri.startswith("file://"):
        write_file(Path(path), data)
    else:
        filesystem.pipe_file(path, data)  # object stores show an object only once it is whole


def _delete(uri: str) -> None:
    filesystem, path = _open_filesystem(uri)
    with suppress(FileNotFoundError):
        filesystem.rm_file(path)


def write_file(path: Path, data: bytes) -> None:
    """Return once a file's content is safe: whole, or not at all.

    Whoever has the old file open keeps it. Raises OSError: the disk is full or read-only.
    """
    with _safe_file(path, data) as temporary:
        temporary.replace(path)


@contextmanager
def _safe_file(path: Path, data: bytes) -> Iterator[Path]:
    """The data in a file of another name beside the path; the block moves it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
