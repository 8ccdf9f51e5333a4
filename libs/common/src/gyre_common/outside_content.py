"""Reading what a producer points to, and nothing else of this machine or its network."""

import asyncio
import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import fsspec

from gyre_common.errors import GyreError, InvalidInput, NotFound, Retryable

FIELD = "content_uri"
_SECONDS = 60.0
_Segments = tuple[str, ...]
"""Scheme, host (or bucket), and the parts of the path."""
_REFUSED_SCHEMES = frozenset({"http", "https", "ftp", "data"})


class UriNotAllowedError(InvalidInput):
    """The URI lies outside the allowed roots, or tries to leave them."""


class ContentTooLargeError(InvalidInput):
    """The content is larger than what may be read."""


class OutsideContent:
    """Reads content under the allowed roots: `file:///srv/documents`, `s3://bucket/prefix`.

    Without roots, everything is refused. Symbolic links, `..` and anything but plain files are
    refused; a web address can never be a root.
    """

    def __init__(self, roots: Sequence[str], *, max_bytes: int) -> None:
        self._roots = tuple(_Root(root) for root in roots)
        self._max_bytes = max_bytes

    async def read(self, uri: str) -> bytes:
        """Read it all.

        Raises:
            UriNotAllowedError: it lies outside the roots, or may not be read there.
            NotFound: nothing is there.
            ContentTooLargeError: it is larger than `max_bytes`.
            Retryable: its store is out of reach.
        """
        segments = _segments(uri)
        root = next((root for root in self._roots if root.holds(segments)), None)
        if root is None:
            raise _refusal("is outside the allowed stores")
        try:
            async with asyncio.timeout(_SECONDS):
                return await asyncio.to_thread(self._read, root, segments)
        except TimeoutError as error:
            raise Retryable(f"{FIELD} could not be read within {_SECONDS:.0f} s") from error

    def _read(self, root: "_Root", segments: _Segments) -> bytes:
        try:
            with root.open(segments) as file:
                data: bytes = file.read(self._max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"{FIELD}: nothing is there") from error
        except PermissionError as error:
            # Waiting would hold up every document behind it until somebody changes the rights.
            fix = "let it read the file, or send its content"
            raise UriNotAllowedError(FIELD, "may not be read by the ingestor", fix) from error
        except OSError as error:
            raise _error_from(error) from error
        if len(data) > self._max_bytes:
            raise ContentTooLargeError(
                FIELD, f"is larger than {self._max_bytes} bytes", "split the document"
            )
        return data


def _error_from(error: OSError) -> GyreError:
    if error.errno == errno.ENAMETOOLONG:
        return NotFound(f"{FIELD}: nothing can have so long a name")
    if error.errno == errno.ENXIO:
        return _refusal("is not a plain file")
    return Retryable(f"{FIELD} cannot be read: {error.strerror or error}")


class _Root:
    def __init__(self, uri: str) -> None:
        self._segments = _segments(uri)
        self._is_file = self._segments[0] == "file"
        try:
            fsspec.get_filesystem_class(self._segments[0])
        except (ImportError, ValueError) as error:
            raise InvalidInput(uri, f"cannot be opened ({error})", "install its package") from error

    def holds(self, segments: _Segments) -> bool:
        below = segments[: len(self._segments)] == self._segments
        return below and len(segments) > len(self._segments)

    def open(self, segments: _Segments) -> Any:
        if self._is_file:
            return open_below(Path("/", *self._segments[2:]), segments[len(self._segments) :])
        scheme, host, *path = segments
        return fsspec.open(f"{scheme}://{'/'.join([host, *path])}", "rb")


def open_below(root: Path, parts: Sequence[str]) -> BinaryIO:
    """A plain file below a folder, reached without a symbolic link.

    Raises UriNotAllowedError: it is something else, or behind a link; OSError.
    """
    # Each step is opened relative to the one before, without following links, so that nothing
    # swapped in between the check and the read can lead out of the root.
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = _open_at(folder, part, os.O_DIRECTORY)
            os.close(folder)
            folder = inner
        file = _open_at(folder, parts[-1], os.O_NONBLOCK)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise _refusal("is not a plain file")
    return os.fdopen(file, "rb")


def _open_at(folder: int, part: str, flags: int) -> int:
    if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
        raise _refusal("leads through a symbolic link")
    return os.open(part, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=folder)


def _segments(uri: str) -> _Segments:
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise _refusal("is not a URI") from error
    scheme = parts.scheme.lower()
    if not scheme or scheme in _REFUSED_SCHEMES or "::" in uri:
        raise _refusal("is not in a kind of store that may be read")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise _refusal("must be a plain path without query, fragment or user")
    if scheme == "file" and parts.netloc not in ("", "localhost"):
        raise _refusal("names another machine")
    host = "" if scheme == "file" else parts.netloc
    path = unquote(parts.path) if scheme == "file" else parts.path
    names = path.strip("/").split("/") if path.strip("/") else []
    if any(name in ("", ".", "..") or not name.isprintable() or "\\" in name for name in names):
        raise _refusal("must be a plain path")
    return (scheme, host, *names)


def _refusal(problem: str) -> UriNotAllowedError:
    return UriNotAllowedError(
        FIELD, problem, "put the file under GYRE_ALLOWED_CONTENT_ROOTS or send its content"
    )
