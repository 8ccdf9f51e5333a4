"""Content by its digest, in any store that fsspec knows: a folder, S3, GCS."""

import asyncio
import hashlib
import os
import tempfile
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
        ref = ContentRef(uri=self._uri(digest), digest=digest, size_bytes=len(data))
        await asyncio.to_thread(self._put, ref.uri, data)
        return ref

    async def get(self, uri: str, digest: str) -> bytes:
        """Read content back.

        Raises:
            InvalidInput: `uri` lies outside this store.
            NotFound: nothing is there.
            DamagedContentError: the bytes are not those that the digest names.
        """
        if uri != self._uri(digest):
            raise InvalidInput("uri", "is not this store's", f"only read what lies in {self._url}")
        data = await asyncio.to_thread(self._get, uri)
        if digest_of(data) != digest:
            raise DamagedContentError(f"{uri} does not hold the content that it is named after")
        return data

    def _uri(self, digest: str) -> str:
        algorithm, _, name = digest.partition(":")
        if algorithm != "sha256" or len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise InvalidInput("digest", "is malformed", "write sha256: and 64 hex digits")
        return f"{self._url}/{algorithm}/{name[:2]}/{name}"

    def _put(self, uri: str, data: bytes) -> None:
        try:
            if uri.startswith("file://"):
                _put_file(Path(urlsplit(uri).path), data)
            else:
                _put_object(uri, data)
        except OSError as error:
            raise Retryable(f"cannot write to {self._url}: {error.strerror or error}") from error

    def _get(self, uri: str) -> bytes:
        try:
            filesystem, path = fsspec.core.url_to_fs(uri)
            content: bytes = filesystem.cat_file(path)
        except FileNotFoundError as error:
            raise NotFound(f"{uri} is not in the store") from error
        except OSError as error:
            raise Retryable(f"cannot read from {self._url}: {error.strerror or error}") from error
        return content


def _put_file(path: Path, data: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(data):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".put-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _put_object(uri: str, data: bytes) -> None:
    # Object stores show an object only once it is whole.
    filesystem: Any
    filesystem, path = fsspec.core.url_to_fs(uri)
    if not filesystem.exists(path):
        filesystem.pipe_file(path, data)
