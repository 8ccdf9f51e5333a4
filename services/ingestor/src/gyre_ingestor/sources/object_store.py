"""A bucket, or a folder in one, in any store that fsspec knows: S3, GCS, Azure."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import fsspec
from gyre_common.errors import InvalidInput
from gyre_common.settings import CommaList
from pydantic import Field

from gyre_ingestor.file_names import FileRules, media_type_by_name
from gyre_ingestor.sources.addresses import AddressRule
from gyre_ingestor.sources.source import (
    Cursor,
    Item,
    ItemUnreadable,
    Known,
    Problem,
    SourceKind,
    SourceSettings,
    SourceUnreachable,
    Surroundings,
)

_PIECE = 1024 * 1024
_BLOCK = 4 * 1024 * 1024
_OTHER_KINDS = frozenset({"file", "local", "http", "https", "ftp", "sftp", "data", "git", "zip"})
_S3 = "s3"
_EXTRAS = {_S3: "install gyre-ingestor[s3]"}
_ERRORS = {
    _S3: ("botocore.exceptions", ("BotoCoreError", "ClientError")),
    "gs": ("google.auth.exceptions", ("GoogleAuthError",)),
    "abfs": ("azure.core.exceptions", ("AzureError",)),
}
"""What their libraries raise beside OSError."""
_STATE = ("ETag", "etag", "md5Hash", "content_md5", "generation")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


class ObjectStoreSettings(SourceSettings):
    """What a store is told."""

    url: str = Field(description="Such as s3://bucket/folder.")
    include: CommaList = Field(default=(), description="Only such files, as *.md,*.pdf.")
    endpoint_url: str = Field(default="", description="Of an S3 that is not Amazon's.")
    region: str = Field(default="", description="Of S3.")
    key_id: str = Field(default="", description="Of S3: the access key's id, with `secret`.")
    secret: str = Field(default="", description="Of S3: the name of the access key's secret.")
    anonymous: bool = Field(default=False, description="Of S3: without a key, what is public.")
    source_uri: str = Field(
        default="", description="Where people find the originals; the name is added."
    )


@dataclass(frozen=True)
class ObjectStoreSource:
    """Objects as files; `options` open the store."""

    scheme: str
    settings: ObjectStoreSettings
    options: Mapping[str, Any] = field(repr=False)
    rules: FileRules

    async def items(
        self, known: Mapping[str, Known], cursor: Cursor
    ) -> AsyncGenerator[Item | Problem, None]:
        """See `Source`."""
        try:
            store, root = await asyncio.to_thread(self._open)
            listed = await asyncio.to_thread(store.find, root, detail=True)
        except FileNotFoundError as error:
            raise SourceUnreachable(
                f"{self.settings.url} is not there: look at its name"
            ) from error
        except _failures(self.scheme) as error:
            raise SourceUnreachable(
                f"{self.settings.url} cannot be listed ({error}): look at the key, the endpoint "
                "and what they may read"
            ) from error
        for path, about in listed.items():
            name = path.removeprefix(root).lstrip("/")
            if about.get("type") != "directory" and self.rules.take(name):
                yield self._item(store, path, name, about)

    async def close(self) -> None:
        """See `Source`: nothing is open."""

    def _open(self) -> tuple[Any, str]:
        """Anew each time: file systems keep listings that others have changed since."""
        url = self.settings.url.rstrip("/")
        store, root = fsspec.core.url_to_fs(url, skip_instance_cache=True, **self.options)
        return store, str(root)

    def _item(self, store: Any, path: str, name: str, about: Mapping[str, Any]) -> Item:
        base = self.settings.source_uri
        return Item(
            name,
            _fingerprint(about),
            partial(self._read, store, path),
            media_type=media_type_by_name(name),
            source_uri=f"{base.rstrip('/')}/{name}" if base else "",
        )

    async def _read(self, store: Any, path: str) -> AsyncGenerator[bytes, None]:
        """An object that is replaced meanwhile is not read on: S3 is asked for the same ETag."""
        try:
            file = await asyncio.to_thread(store.open, path, "rb", block_size=_BLOCK)
            try:
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    yield piece
            finally:
                file.close()
        except _failures(self.scheme) as error:
            raise ItemUnreadable(
                f"it cannot be read ({error}): let the key read it; the next sync tries again"
            ) from error


def open_object_store(settings: ObjectStoreSettings, around: Surroundings) -> ObjectStoreSource:
    """Raises InvalidInput: it is no store that may be read, or its package is missing."""
    parts = urlsplit(settings.url)
    scheme = parts.scheme.lower()
    if not scheme or "::" in settings.url or scheme in _OTHER_KINDS or not parts.netloc:
        fix = "write one such as s3://bucket/folder; folders and web sites are other kinds"
        raise InvalidInput("url", f"is {settings.url!r}, which is no object store", fix)
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        fix = _EXTRAS.get(scheme, str(error))
        raise InvalidInput("url", f"is of {scheme}, whose package is missing", fix) from error
    except ValueError as error:
        raise InvalidInput(
            "url", f"is of {scheme!r}, which nobody knows", "write s3://…"
        ) from error
    options = _s3_options(settings, around) if scheme == _S3 else {}
    if not (settings.anonymous or settings.secret) and not _is_allowed(settings.url, around):
        raise InvalidInput(
            "url",
            f"is {settings.url}, which may not be read as the ingestor",
            "name a key by key_id and secret, or have the operator put it under "
            "GYRE_ALLOWED_CONTENT_ROOTS",
        )
    return ObjectStoreSource(scheme, settings, options, FileRules(settings.include))


OBJECT_STORE = SourceKind(ObjectStoreSettings, open_object_store)


def _s3_options(settings: ObjectStoreSettings, around: Surroundings) -> dict[str, Any]:
    from gyre_ingestor.sources.resolver import CheckedResolver

    if bool(settings.key_id) != bool(settings.secret):
        missing = "secret" if settings.key_id else "key_id"
        raise InvalidInput(missing, "is missing", "give key_id and secret, or neither")
    rule = AddressRule(private=around.private_addresses)
    if settings.endpoint_url:
        host = urlsplit(settings.endpoint_url).hostname
        if not settings.endpoint_url.startswith(("http://", "https://")) or not host:
            raise InvalidInput("endpoint_url", "is no web address", "write https://s3.example.com")
        try:
            rule.check_literal(host)
        except SourceUnreachable as error:
            fix = "have the operator set GYRE_SOURCE_PRIVATE_ADDRESSES of the ingestor"
            raise InvalidInput("endpoint_url", "is a private address", fix) from error
    config = {
        "connect_timeout": 10,
        "read_timeout": 60,
        "retries": {"max_attempts": 3},
        "connector_args": {"resolver": CheckedResolver(rule)},
    }
    options: dict[str, Any] = {"anon": settings.anonymous, "config_kwargs": config}
    if settings.secret:
        key = {"key": settings.key_id, "secret": around.secret("secret", settings.secret)}
        options |= key
    if settings.endpoint_url:
        options["endpoint_url"] = settings.endpoint_url
    if settings.region:
        options["client_kwargs"] = {"region_name": settings.region}
    return options


def _is_allowed(url: str, around: Surroundings) -> bool:
    place = url.rstrip("/") + "/"
    return any(place.startswith(store.rstrip("/") + "/") for store in around.stores)


def _failures(scheme: str) -> tuple[type[Exception], ...]:
    module, names = _ERRORS.get(scheme, ("", ()))
    try:
        library = import_module(module) if module else None
    except ImportError:
        return (OSError,)
    return (OSError, *(getattr(library, name) for name in names))


def _fingerprint(about: Mapping[str, Any]) -> str:
    """What the store says of an object's content: a digest or a number, else time and size."""
    for name in _STATE:
        if value := about.get(name):
            return f"{name}={value}"
    time = next((str(about[name]) for name in _TIMES if about.get(name)), "")
    return f"{time}-{about.get('size')}"
