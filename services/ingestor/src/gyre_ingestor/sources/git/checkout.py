"""Fetches a repository and lists the files of a commit. Runs in a process of its own."""

import shutil
import socket
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from gyre_ingestor.sources.addresses import AddressRule
from gyre_ingestor.sources.source import ItemUnreadable, SourceUnreachable

if TYPE_CHECKING:
    import urllib3
    from dulwich.client import HttpGitClient
    from dulwich.objects import ObjectID
    from dulwich.repo import Repo

_HEAD = b"HEAD"
_REF = b"refs/heads/source"
_MOST_PACKS = 50
_MOST_BYTES = 4 * 1024**3
_SECONDS = 60.0
_HOPS = 5


@dataclass(frozen=True)
class Remote:
    """A repository, by its address or in a folder of this machine; `cache` is where it is fetched
    to. An empty branch is the one that it stands at.
    """

    url: str
    local: str
    branch: str
    path: str
    user: str
    password: str = field(repr=False)
    rule: AddressRule
    cache: str


class TreeFile(NamedTuple):
    """A file below the path, by the name of its blob; a symbolic link has none."""

    name: str
    blob: str


def fetch(remote: Remote) -> tuple[str, Sequence[TreeFile]]:
    """The folder that holds the objects, and the files of the branch.

    Raises SourceUnreachable: there is no such repository, branch or path, or it lets nobody in.
    """
    from dulwich.object_store import iter_tree_contents, tree_lookup_path
    from dulwich.objects import S_ISGITLINK, Commit, Tree

    repository, commit_id = _local(remote) if remote.local else _fetched(remote)
    with repository:
        commit = repository[commit_id]
        assert isinstance(commit, Commit)
        tree_id = commit.tree
        if remote.path:
            try:
                _, tree_id = tree_lookup_path(repository.__getitem__, tree_id, remote.path.encode())
            except KeyError as error:
                raise SourceUnreachable(f"it has no folder {remote.path}: name another") from error
            if not isinstance(repository[tree_id], Tree):
                raise SourceUnreachable(f"{remote.path} is no folder: name the one that it is in")
        return repository.path, [
            TreeFile(
                entry.path.decode(errors="surrogateescape"),
                "" if stat.S_ISLNK(entry.mode) else entry.sha.decode(),
            )
            for entry in iter_tree_contents(repository.object_store, tree_id)
            if entry.path and entry.mode and entry.sha and not S_ISGITLINK(entry.mode)
        ]


def read_blob(folder: str, blob: str, most_bytes: int) -> bytes:
    """Raises ItemUnreadable: it is not there any more, or is larger than that."""
    from dulwich.repo import Repo

    with Repo(folder) as repository:
        try:
            _, data = repository.object_store.get_raw(blob.encode())  # type: ignore[arg-type]
        except KeyError as error:
            raise ItemUnreadable("it is not there any more: the next sync looks again") from error
    if len(data) > most_bytes:
        raise ItemUnreadable(f"it is larger than {most_bytes:,} bytes: split it, or leave it out")
    return data


def _local(remote: Remote) -> tuple["Repo", "ObjectID"]:
    """Read where it is; one that is elsewhere in truth could be anywhere."""
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    folder = Path(remote.local)
    if folder.resolve() != folder:
        raise SourceUnreachable(
            "it leads through a symbolic link: name the folder that it leads to"
        )
    control = folder / ".git" if (folder / ".git").exists() else folder
    if not control.is_dir() or control.is_symlink() or (control / "commondir").exists():
        raise SourceUnreachable("it is no repository of its own: name the one it belongs to")
    if (control / "objects/info/alternates").exists():
        raise SourceUnreachable("it borrows objects of another repository: run `git repack -a`")
    try:
        repository = Repo(remote.local)
    except NotGitRepository as error:
        raise SourceUnreachable("it is no git repository: look at its path") from error
    return repository, _commit(remote, repository.get_refs())


def _fetched(remote: Remote) -> tuple["Repo", "ObjectID"]:
    """The cached repository, with the newest commit in it."""
    from dulwich.client import HTTPUnauthorized
    from dulwich.errors import GitProtocolError, NotGitRepository

    client, path = _client(remote), urlsplit(remote.url).path.encode()
    try:
        refs = client.get_refs(path).refs
        commit_id = _commit(remote, {name: sha for name, sha in refs.items() if sha})
        repository = _cached(Path(remote.cache))
        if commit_id not in repository:
            _fetch_into(client, path, repository, commit_id)
        repository.refs[_REF] = commit_id  # type: ignore[index]
    except HTTPUnauthorized as error:
        raise SourceUnreachable(
            "it lets nobody in without a login: give user and secret"
        ) from error
    except NotGitRepository as error:
        raise SourceUnreachable("there is no repository, or none that may be read") from error
    except (GitProtocolError, OSError) as error:
        raise SourceUnreachable(f"it cannot be fetched ({error}): look whether it runs") from error
    return repository, commit_id


def _fetch_into(
    client: "HttpGitClient", path: bytes, repository: "Repo", commit_id: "ObjectID"
) -> None:
    """That commit alone, without those before it."""

    def wanted(refs: object, depth: int | None = None) -> list["ObjectID"]:
        return [commit_id]

    client.fetch(path, repository, determine_wants=wanted, depth=1)


def _cached(folder: Path) -> "Repo":
    """What was fetched before; begun anew where it has become many packs."""
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    if len([*folder.glob("objects/pack/*.pack")]) > _MOST_PACKS:
        shutil.rmtree(folder)
    try:
        return Repo(str(folder))
    except NotGitRepository:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return Repo.init_bare(str(folder))


def _commit(remote: Remote, refs: Mapping[Any, bytes]) -> "ObjectID":
    from dulwich.objects import ObjectID

    name = f"refs/heads/{remote.branch}".encode() if remote.branch else _HEAD
    if name not in refs:
        branches = sorted(
            ref.removeprefix(b"refs/heads/").decode(errors="replace")
            for ref in refs
            if ref.startswith(b"refs/heads/")
        )
        wanted = f"branch {remote.branch}" if remote.branch else "commit yet"
        raise SourceUnreachable(f"it has no {wanted}: it has {', '.join(branches[:5]) or 'none'}")
    return ObjectID(refs[name])


def _client(remote: Remote) -> "HttpGitClient":
    from dulwich.client import HttpGitClient

    parts = urlsplit(remote.url)
    received = 0

    def count(size: int, action: str) -> None:
        nonlocal received
        received += size
        if received > _MOST_BYTES:
            gibibytes = _MOST_BYTES // 1024**3
            raise SourceUnreachable(f"it sends more than {gibibytes} GiB: name a smaller one")

    return HttpGitClient(
        f"{parts.scheme}://{parts.netloc}",
        dumb=False,
        pool_manager=_pool_manager(remote.rule),
        username=remote.user or None,
        password=remote.password or None,
        timeout=_SECONDS,
        report_activity=count,
    )


def _pool_manager(rule: AddressRule) -> "urllib3.PoolManager":
    """Connections go to addresses that were looked at, on every hop of a redirect."""
    import dulwich
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class CheckedConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return rule.connect(self.host, self.port or 80)

    class CheckedTlsConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return rule.connect(self.host, self.port or 443)

    class CheckedPool(HTTPConnectionPool):
        ConnectionCls = CheckedConnection

    class CheckedTlsPool(HTTPSConnectionPool):
        ConnectionCls = CheckedTlsConnection

    version = ".".join(map(str, dulwich.__version__))
    manager = urllib3.PoolManager(
        headers={"User-Agent": f"git/dulwich/{version}"},
        retries=urllib3.Retry(total=_HOPS, connect=0, read=0, redirect=_HOPS),
    )
    manager.pool_classes_by_scheme = {"http": CheckedPool, "https": CheckedTlsPool}
    return manager
