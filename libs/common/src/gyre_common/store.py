"""Content by its digest, in any store that fsspec knows: a folder, S3, GCS."""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec

from gyre_common.errors import GyreError, InvalidInput, NotFound, Retryable

_PIECE = 1024 * 1024


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
        await asyncio.to_thread(_put, ref.uri, data, self._url)
        return ref

    async def get(self, uri: str, digest: str) -> bytes:
        """Read content back.

        Raises:
            InvalidInput: `uri` lies outside this store.
            NotFound: nothing is there.
            DamagedContentError: the bytes are not those that the digest names.
        """
        if uri != self.uri(digest):
            raise InvalidInput("uri", "is not this store's", f"only read what lies in {self._url}")
        data = await asyncio.to_thread(_get, uri, self._url)
        if digest_of(data) != digest:
            raise DamagedContentError(
                f"{uri} does not hold the content that it is named after: bring the file back from "
                "a copy, or do without what it belongs to"
            )
        return data

    async def delete(self, digest: str) -> None:
        """Let go of content; what is not there is fine."""
        await asyncio.to_thread(_delete, self.uri(digest), self._url)

    def uri(self, digest: str) -> str:
        """Where content of that digest lies, or would lie. Raises InvalidInput: it is malformed."""
        algorithm, _, name = digest.partition(":")
        if algorithm != "sha256" or len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise InvalidInput("digest", "is malformed", "write sha256: and 64 hex digits")
        return f"{self._url}/{algorithm}/{name[:2]}/{name}"


class Shelf:
    """Named content under `<url>/<folder>/<name>`, where names matter: segments, data sets.

    A name, once written, keeps its first content until it is deleted; a reader never sees half of
    a put. Names are parts of letters, digits, `.`, `_` and `-`, with `/` between them; none begins
    with a dot.

    Raises, from every method: Retryable when the store is full, read-only or out of reach;
    InvalidInput for a name that cannot be one.
    """

    def __init__(self, url: str, folder: str) -> None:
        self._url = f"{url.rstrip('/')}/{folder}"

    async def put(self, name: str, data: bytes) -> None:
        """Return once the bytes are safe. A name that is taken keeps what it has."""
        await asyncio.to_thread(_put_once, self._uri(name), data, self._url)

    async def replace(self, name: str, data: bytes) -> None:
        """Return once the bytes are safe, in the place of whatever stood under the name."""
        await asyncio.to_thread(_replace, self._uri(name), data, self._url)

    async def get(self, name: str) -> bytes:
        """What stands under the name. Raises NotFound."""
        return await asyncio.to_thread(_get, self._uri(name), self._url)

    async def names(self, folder: str = "") -> list[str]:
        """Every name in that folder and below, in order."""
        return await asyncio.to_thread(self._names, self._uri(folder) if folder else self._url)

    async def delete(self, name: str) -> None:
        """Let go of a name; one that is not there is fine."""
        await asyncio.to_thread(_delete, self._uri(name), self._url)

    def _uri(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                "name", "cannot be kept", "use letters, digits, '.', '_' and '-', and '/' between"
            )
        return f"{self._url}/{name}"

    def _names(self, below: str) -> list[str]:
        try:
            filesystem, path = _open_filesystem(below)
            root = fsspec.core.url_to_fs(self._url)[1]
            paths: list[str] = filesystem.find(path)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Retryable(f"cannot read from {self._url}: {error.strerror or error}") from error
        names = (path[len(root) :].lstrip("/") for path in paths)
        return sorted(name for name in names if not _is_temporary(name))


_TEMPORARY = ".put-"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


def _is_temporary(name: str) -> bool:
    return name.rpartition("/")[2].startswith(_TEMPORARY)


def _open_filesystem(uri: str) -> tuple[Any, str]:
    filesystem, path = fsspec.core.url_to_fs(uri)
    # Listings of others' writes are kept by some file systems.
    filesystem.invalidate_cache()
    return filesystem, path


def _put(uri: str, data: bytes, root: str) -> None:
    try:
        if uri.startswith("file://"):
            _put_file(Path(urlsplit(uri).path), data)
        else:
            _put_object(uri, data)
    except OSError as error:
        raise Retryable(f"cannot write to {root}: {error.strerror or error}") from error


def _get(uri: str, root: str) -> bytes:
    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
        content: bytes = filesystem.cat_file(path)
    except FileNotFoundError as error:
        raise NotFound(f"{uri} is not in the store") from error
    except OSError as error:
        raise Retryable(f"cannot read from {root}: {error.strerror or error}") from error
    return content


def _put_once(uri: str, data: bytes, root: str) -> None:
    try:
        if uri.startswith("file://"):
            path = Path(urlsplit(uri).path)
            if not path.exists():
                _write_file(path, data, _link_new_name)
        else:
            filesystem, path_there = _open_filesystem(uri)
            filesystem.pipe_file(path_there, data, mode="create")
    except FileExistsError:
        return
    except OSError as error:
        raise Retryable(f"cannot write to {root}: {error.strerror or error}") from error


def _replace(uri: str, data: bytes, root: str) -> None:
    try:
        if uri.startswith("file://"):
            _write_file(Path(urlsplit(uri).path), data, Path.replace)
        else:
            filesystem, path = _open_filesystem(uri)
            filesystem.pipe_file(path, data)
    except OSError as error:
        raise Retryable(f"cannot write to {root}: {error.strerror or error}") from error


def _delete(uri: str, root: str) -> None:
    try:
        filesystem, path = _open_filesystem(uri)
        filesystem.rm_file(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Retryable(f"cannot write to {root}: {error.strerror or error}") from error


def _put_file(path: Path, data: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(data):
        return
    _write_file(path, data, Path.replace)


def _write_file(path: Path, data: bytes, into_place: Callable[[Path, Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        into_place(Path(temporary), path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _link_new_name(temporary: Path, path: Path) -> None:
    # Unlike a rename, a link never takes the place of a file that came first.
    path.hardlink_to(temporary)


def _put_object(uri: str, data: bytes) -> None:
    # Object stores show an object only once it is whole.
    filesystem: Any
    filesystem, path = fsspec.core.url_to_fs(uri)
    if not filesystem.exists(path):
        filesystem.pipe_file(path, data)
