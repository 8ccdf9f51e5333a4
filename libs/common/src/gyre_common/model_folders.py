"""Models as folders: kept in the store file by file, fetched into a cache, checked when opened."""

import asyncio
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from pydantic import Field, StringConstraints, ValidationError

from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Retryable
from gyre_common.events.event import Digest, EventPart
from gyre_common.events.releases import Artifact
from gyre_common.releases.builtin import (
    ENCODER_DIGEST,
    ENCODER_FILES,
    ENCODER_VERSION,
    LANGUAGE_MODEL_DIGEST,
    LANGUAGE_MODEL_FILE,
    LANGUAGE_MODEL_VERSION,
)
from gyre_common.store import ContentRef, DamagedContentError, Store, write_file

log = logging.getLogger(__name__)

SHIPPED_MODELS = Path(sys.prefix) / "share" / "gyre" / "models"
"""Where `make setup`, and the images, put the models that come with Gyre."""

_MANIFEST = ".manifest.json"
_REMOVED = ".removed-"
_OURS = re.compile(rf"[0-9a-f]{{64}}|{re.escape(_REMOVED)}.*")
"""Folders of models, and what a removal left behind; others may lie beside them."""
_NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"


class _File(EventPart):
    digest: Digest
    size_bytes: int = Field(ge=0)


class _Manifest(EventPart):
    files: dict[Annotated[str, StringConstraints(pattern=_NAME)], _File] = Field(min_length=1)


async def keep_model(store: Store, folder: Path) -> ContentRef:
    """Put every file of the folder but hidden ones, then a manifest that lists them.

    Returns the manifest's digest and uri, which are those of an artifact. The same files give the
    same digest.

    Raises:
        FailedPrecondition: the folder is not there, empty, or holds a name that is not plain.
        Retryable: the store is full, read-only or out of reach.
    """
    files = {}
    for path in await asyncio.to_thread(_files_below, folder):
        content = await store.put(await asyncio.to_thread(path.read_bytes))
        name = path.relative_to(folder).as_posix()
        files[name] = {"digest": content.digest, "size_bytes": content.size_bytes}
    try:
        _Manifest.model_validate({"files": files})
    except ValidationError as error:
        raise FailedPrecondition(
            f"{folder} cannot be kept: it needs files with names of letters, digits, ._- and /"
        ) from error
    manifest = json.dumps({"files": files}, sort_keys=True, separators=(",", ":"))
    return await store.put(manifest.encode())


def _files_below(folder: Path) -> list[Path]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if "/." not in f"/{path.relative_to(folder).as_posix()}")


class ModelFolders:
    """Opens the folder of a version: from the store through a cache, or what ships with Gyre.

    Processes may share a cache: a folder that one of them opened stays until its `keep_only` does
    not name it, or it ends.
    """

    def __init__(self, store: Store, cache: Path) -> None:
        self._store = store
        self._cache = _FolderCache(cache)

    async def folder(self, artifact: Artifact, only: Collection[str] | None = None) -> Path:
        """Where the version's files lie (or `only` those named), each checked against its digest.

        Raises:
            FailedPrecondition: what the version names is not there or not what its digest says.
            Retryable: the store is out of reach, or the cache is full or read-only.
        """
        manifest = f"the manifest of {artifact.version}"
        try:
            if artifact.uri is None:
                return await asyncio.to_thread(shipped_model, artifact)
            folder = await asyncio.to_thread(self._cache.open, _stem(artifact.digest))
            await self._bring(manifest, folder / _MANIFEST, artifact.uri, artifact.digest)
            content = await asyncio.to_thread((folder / _MANIFEST).read_bytes)
            for name, file in _Manifest.model_validate_json(content).files.items():
                if only is None or name in only:
                    what, uri = f"{name} of {artifact.version}", self._store.uri(file.digest)
                    await self._bring(what, folder / name, uri, file.digest)
        except ValidationError as error:
            raise FailedPrecondition(f"{manifest} does not list a model's files") from error
        except OSError as error:
            raise Retryable(f"cannot use {self._cache.path}: {error.strerror or error}") from error
        return folder

    async def keep_only(self, digests: Collection[str]) -> None:
        """Remove the folders of other models, unless another process has them in use. Raises
        Retryable: the cache is read-only or out of reach.
        """
        try:
            await asyncio.to_thread(self._cache.keep_only, {_stem(each) for each in digests})
        except OSError as error:
            raise Retryable(f"cannot use {self._cache.path}: {error.strerror or error}") from error

    async def _bring(self, what: str, path: Path, uri: str, digest: str) -> None:
        """Fetch a file, unless the cache has it: a whole cache serves without the store."""
        cached = await asyncio.to_thread(digest_of_file, path)
        if cached == digest:
            return
        if cached is not None:
            log.warning("cached model file is damaged, fetching it again", extra={"file": what})
        try:
            content = await self._store.get(uri, digest)
        except (NotFound, InvalidInput, DamagedContentError) as error:
            raise FailedPrecondition(f"{what} cannot be had: {error}") from error
        await asyncio.to_thread(write_file, path, content)


class _FolderCache:
    """Folders by name, each locked while this process has it in use. Methods block; any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._in_use: dict[str, int] = {}

    def open(self, name: str) -> Path:
        folder = self.path / name
        while name not in self._in_use:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _locked(folder, fcntl.LOCK_SH)
            if lock is not None and self._in_use.setdefault(name, lock) != lock:
                os.close(lock)
        return folder

    def keep_only(self, names: Collection[str]) -> None:
        for name in self._in_use.keys() - set(names):
            os.close(self._in_use.pop(name))
        if not self.path.is_dir():
            return
        for folder in self.path.iterdir():
            is_ours = _OURS.fullmatch(folder.name)
            if is_ours and folder.name not in names and folder.is_dir():
                self._remove(folder)

    def _remove(self, folder: Path) -> None:
        lock = _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is None:
            return
        try:
            # Away in one step, so that nobody opens what is half gone.
            away = folder.rename(self.path / f"{_REMOVED}{uuid4().hex}")
        finally:
            os.close(lock)
        shutil.rmtree(away, ignore_errors=True)


def _locked(folder: Path, how: int) -> int | None:
    """A lock on the folder that stands at this path; None when it is taken, or was moved away."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, how)
        if os.path.samestat(os.fstat(lock), folder.stat()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None


def _stem(digest: str) -> str:
    return digest.partition(":")[2]


@dataclass(frozen=True)
class _ShippedModel:
    version: str
    files: Mapping[str, str]
    """Digests by name."""
    target: str
    """Of `make`, which brings it."""


_SHIPPED = {
    ENCODER_DIGEST: _ShippedModel(ENCODER_VERSION, ENCODER_FILES, "setup"),
    LANGUAGE_MODEL_DIGEST: _ShippedModel(
        LANGUAGE_MODEL_VERSION, {LANGUAGE_MODEL_FILE: LANGUAGE_MODEL_DIGEST}, "setup-llm"
    ),
}


def shipped_model(artifact: Artifact) -> Path:
    """The checked folder of a version that ships with Gyre.

    Raises FailedPrecondition: it is another version, is not installed here, or holds other files.
    """
    shipped = _SHIPPED.get(artifact.digest)
    if shipped is None:
        raise FailedPrecondition(
            f"{artifact.version} names no stored files and is not what ships with Gyre: "
            "register it with its files"
        )
    folder = SHIPPED_MODELS / shipped.version
    for name, digest in shipped.files.items():
        if not (folder / name).is_file():
            raise FailedPrecondition(f"{folder / name} is missing: run `make {shipped.target}`")
        if digest_of_file(folder / name) != digest:
            raise FailedPrecondition(
                f"{folder / name} is not that of {artifact.version}: run `make clean "
                f"{shipped.target}`"
            )
    return folder


def shipped_file(name: str) -> Path:
    """A file of the encoder that ships with Gyre; raises FailedPrecondition where it is missing."""
    path = SHIPPED_MODELS / ENCODER_VERSION / name
    if not path.is_file():
        raise FailedPrecondition(f"{path} is missing: run `make setup`")
    return path


def digest_of_file(path: Path) -> str | None:
    """Of a file's content; None where there is no such file."""
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except FileNotFoundError:
        return None
