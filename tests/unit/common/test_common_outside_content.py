"""A producer's URI reads what lies under the allowed roots, and nothing else."""

import errno
import os
import stat
from pathlib import Path
from typing import ClassVar, Never
from uuid import uuid4

import fsspec
import pytest
from fsspec.spec import AbstractFileSystem
from gyre_common.errors import GyreError, InvalidInput, NotFound, Retryable
from gyre_common.outside_content import (
    ContentTooLargeError,
    OutsideContent,
    UriNotAllowedError,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    (root / "tea").mkdir(parents=True)
    (root / "tea" / "green.md").write_text("# Green tea")
    (root / "tea" / "black tea.md").write_text("# Black tea")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "documents-private").mkdir()
    (tmp_path / "documents-private" / "a.md").write_text("private")
    return root


@pytest.fixture
def content(root: Path) -> OutsideContent:
    return OutsideContent([f"file://{root}"], max_bytes=100)


async def test_a_file_below_a_root_is_read(content: OutsideContent, root: Path) -> None:
    assert await content.read(f"file://{root}/tea/green.md") == b"# Green tea"
    assert await content.read(f"file://localhost{root}/tea/black%20tea.md") == b"# Black tea"


@pytest.mark.parametrize(
    "uri",
    [
        "{root}",
        "file://{root}",
        "file://{root}/",
        "file:///etc/passwd",
        "file://{root}-private/a.md",
        "file://{root}/../secret.txt",
        "file://{root}/tea/../../secret.txt",
        "file://{root}/%2e%2e/secret.txt",
        "file://{root}/tea%2f..%2f..%2fsecret.txt",
        "file://{root}//tea/green.md",
        "file://{root}/./tea/green.md",
        "file://{root}/tea/green.md%00",
        "file://{root}/tea/green.md?x=1",
        "file://{root}/tea/green.md#part",
        "file://elsewhere{root}/tea/green.md",
        "file://user@localhost{root}/tea/green.md",
        "FILE:///etc/passwd",
        "http://127.0.0.1:9200/_cat/indices",
        "https://example.org/a.md",
        "ftp://example.org/a.md",
        "data:text/plain,hello",
        "s3://bucket/a.md",
        "memory://bucket/a.md",
        "simplecache::file://{root}/tea/green.md",
        "zip://a.md::file://{root}/a.zip",
        "file://[",
        "",
        "green.md",
    ],
)
async def test_everything_else_is_refused(content: OutsideContent, root: Path, uri: str) -> None:
    with pytest.raises(UriNotAllowedError, match="GYRE_ALLOWED_CONTENT_ROOTS"):
        await content.read(uri.format(root=root))


async def test_without_roots_everything_is_refused(root: Path) -> None:
    with pytest.raises(UriNotAllowedError):
        await OutsideContent([], max_bytes=100).read(f"file://{root}/tea/green.md")


@pytest.mark.parametrize("where", ["link.md", "folder/green.md"])
async def test_a_symbolic_link_is_refused_also_when_it_stays_inside(
    content: OutsideContent, root: Path, where: str
) -> None:
    (root / "link.md").symlink_to(root.parent / "secret.txt")
    (root / "folder").symlink_to(root / "tea")
    with pytest.raises(UriNotAllowedError, match="symbolic link"):
        await content.read(f"file://{root}/{where}")


async def test_a_root_may_itself_be_a_link(root: Path) -> None:
    (root.parent / "current").symlink_to(root)
    content = OutsideContent([f"file://{root.parent}/current"], max_bytes=100)
    assert await content.read(f"file://{root.parent}/current/tea/green.md") == b"# Green tea"


async def test_only_plain_files_are_read(content: OutsideContent, root: Path) -> None:
    os.mkfifo(root / "pipe")
    os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
    for name in ("pipe", "socket", "tea"):
        with pytest.raises(UriNotAllowedError, match="plain file"):
            await content.read(f"file://{root}/{name}")


async def test_what_is_not_there_is_not_found(content: OutsideContent, root: Path) -> None:
    for name in ("tea/white.md", "coffee/a.md", "tea/green.md/inner", "x" * 300):
        with pytest.raises(NotFound):
            await content.read(f"file://{root}/{name}")


async def test_the_limit_holds_while_reading(content: OutsideContent, root: Path) -> None:
    (root / "full.md").write_bytes(b"x" * 100)
    (root / "large.md").write_bytes(b"x" * 101)
    assert len(await content.read(f"file://{root}/full.md")) == 100
    with pytest.raises(ContentTooLargeError):
        await content.read(f"file://{root}/large.md")


async def test_another_kind_of_store_needs_its_own_root() -> None:
    bucket = uuid4().hex
    with fsspec.open(f"memory://{bucket}/public/a.md", "wb") as file:
        file.write(b"# A")
    content = OutsideContent([f"memory://{bucket}/public"], max_bytes=100)
    assert await content.read(f"memory://{bucket}/public/a.md") == b"# A"
    for uri in (f"memory://{bucket}/a.md", f"memory://{bucket}/public/../a.md"):
        with pytest.raises(UriNotAllowedError):
            await content.read(uri)
    with pytest.raises(NotFound):
        await content.read(f"memory://{bucket}/public/b.md")


class FailingStore(AbstractFileSystem):  # type: ignore[misc]
    """Every read fails as the test says."""

    protocol = "failing"
    cachable = False
    failure: ClassVar[OSError]

    def _open(self, path: str, **options: object) -> Never:
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "means"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), UriNotAllowedError),
        (OSError(errno.EIO, "Input/output error"), Retryable),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), Retryable),
    ],
)
async def test_what_may_not_be_read_is_refused_and_what_may_pass_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, failure: OSError, means: type[GyreError]
) -> None:
    fsspec.register_implementation("failing", FailingStore, clobber=True)
    monkeypatch.setattr(FailingStore, "failure", failure, raising=False)
    with pytest.raises(means, match=r"content_uri .*read"):
        await OutsideContent(["failing://bucket"], max_bytes=100).read("failing://bucket/a.md")


@pytest.mark.parametrize("root", ["http://example.org", "https://example.org/docs", "/srv", "x::y"])
def test_some_places_cannot_be_a_root(root: str) -> None:
    with pytest.raises(InvalidInput):
        OutsideContent([root], max_bytes=100)
