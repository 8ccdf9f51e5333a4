"""A git repository: the files of one branch, as of its newest commit."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlsplit

from gyre_common.errors import InvalidInput
from gyre_common.settings import CommaList
from gyre_common.store import digest_of
from pydantic import Field

from gyre_ingestor.file_names import FileRules, media_type_by_name
from gyre_ingestor.sources.addresses import AddressRule
from gyre_ingestor.sources.confined import Confined, open_confined
from gyre_ingestor.sources.git.checkout import Remote, TreeFile, fetch, read_blob
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

_FETCH_SECONDS = 180.0
_READ_SECONDS = 60.0


class GitSettings(SourceSettings):
    """What a repository is told."""

    url: str = Field(description="https://…, or an absolute path under GYRE_ALLOWED_CONTENT_ROOTS.")
    branch: str = Field(default="", description="Else the one that the repository stands at.")
    path: str = Field(default="", description="Only below this folder of it.")
    include: CommaList = Field(default=(), description="Only such files, as *.md,*.pdf.")
    user: str = Field(default="git", description="With `secret`: who logs in.")
    secret: str = Field(default="", description="The name of a password's or token's secret.")
    source_uri: str = Field(
        default="", description="Where people find the originals; the name is added."
    )


class GitSource:
    """Lists the tree of a commit; what changed shows by the names of its blobs.

    All that a repository holds is read in a process of its own, as a few bytes of it may unpack to
    more than there is memory.
    """

    def __init__(self, remote: Remote, settings: GitSettings, max_bytes: int) -> None:
        self._remote = remote
        self._settings = settings
        self._rules = FileRules(settings.include)
        self._max_bytes = max_bytes
        self._open = AsyncExitStack()

    async def items(
        self, known: Mapping[str, Known], cursor: Cursor
    ) -> AsyncGenerator[Item | Problem, None]:
        """See `Source`."""
        confined = await self._open.enter_async_context(open_confined())
        try:
            folder, files = await confined.run(_FETCH_SECONDS, fetch, self._remote)
        except SourceUnreachable as error:
            raise SourceUnreachable(f"{self._settings.url}: {error}") from error
        for file in files:
            if self._rules.take(file.name):
                yield self._item(confined, folder, file)

    async def close(self) -> None:
        """See `Source`."""
        await self._open.aclose()

    def _item(self, confined: Confined, folder: str, file: TreeFile) -> Item | Problem:
        if not file.blob:
            return Problem("it is a symbolic link, which is not followed", file.name)
        base = self._settings.source_uri
        return Item(
            file.name,
            file.blob,
            partial(self._read, confined, folder, file.blob),
            media_type=media_type_by_name(file.name),
            source_uri=f"{base.rstrip('/')}/{file.name}" if base else "",
        )

    async def _read(
        self, confined: Confined, folder: str, blob: str
    ) -> AsyncGenerator[bytes, None]:
        try:
            yield await confined.run(_READ_SECONDS, read_blob, folder, blob, self._max_bytes)
        except SourceUnreachable as error:
            raise ItemUnreadable(str(error)) from error


def open_git(settings: GitSettings, around: Surroundings) -> GitSource:
    """Raises InvalidInput: it is no repository that may be read."""
    rule = AddressRule(private=around.private_addresses)
    local, parts = "", urlsplit(settings.url)
    if settings.url.startswith("/"):
        root, below = around.folder_of("url", settings.url)
        local = str(root.joinpath(*below))
    elif parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        fix = "write https://…/name.git without a login in it, or a path of this machine"
        raise InvalidInput("url", f"is {settings.url!r}, which cannot be fetched", fix)
    else:
        try:
            rule.check_literal(parts.hostname)
        except SourceUnreachable as error:
            fix = "have the operator set GYRE_SOURCE_PRIVATE_ADDRESSES of the ingestor"
            raise InvalidInput("url", "is at a private address", fix) from error
    secret = around.secret("secret", settings.secret) if settings.secret else ""
    place = digest_of(f"{around.tenant}\n{settings.url}".encode())[7:39]
    remote = Remote(
        url=settings.url,
        local=local,
        branch=settings.branch,
        path=settings.path.strip("/"),
        user=settings.user if secret else "",
        password=secret,
        rule=rule,
        cache=str(around.cache / "git" / place),
    )
    return GitSource(remote, settings, around.max_bytes)


GIT = SourceKind(GitSettings, open_git)
