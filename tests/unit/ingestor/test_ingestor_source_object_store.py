"""A bucket as a source, on an S3 of this machine."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import fsspec
import pytest
from gyre_common.errors import InvalidInput
from gyre_common.events.documents import DOCUMENT_SUBMITTED
from gyre_ingestor.sources.book import new_source
from gyre_ingestor.sources.state import SyncOutcome, SyncRun

from tests.fakes.s3 import Bucket, a_bucket

from .conftest import World

TENANT = "acme"


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with a_bucket() as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket, world: World) -> Bucket:
    listed = server.client.list_objects_v2(Bucket=server.name).get("Contents", [])
    for each in listed:
        server.delete(each["Key"])
    secrets = world.opener.surroundings.secrets / TENANT
    secrets.mkdir(parents=True)
    (secrets / "papers").write_text("tea-for-two\n")
    for key in ("in/a.md", "in/deep/b.md", "in/photo.png", "in/.hidden.md", "out/c.md"):
        server.put(key, f"{key} is a text.")
    return server


async def put(world: World, **settings: str) -> SyncRun:
    source: dict[str, Any] = {"name": "papers", "kind": "object-store", "settings": settings}
    await world.book.put(new_source(TENANT, source))
    await world.bus.settled()
    (standing,) = await world.book.list(TENANT)
    assert standing.progress.last is not None
    return standing.progress.last


async def put_bucket(world: World, bucket: Bucket, **settings: str) -> SyncRun:
    described = {
        "url": "s3://papers/in",
        "endpoint_url": bucket.endpoint_url,
        "key_id": "ann",
        "secret": "papers",
    }
    return await put(world, **{**described, **settings})


def submitted(world: World) -> set[tuple[str, bool]]:
    events = world.events(DOCUMENT_SUBMITTED)
    world.bus.published = [each for each in world.bus.published if each[0] != DOCUMENT_SUBMITTED]
    return {(event.document_id, event.deleted) for event in events}


async def test_a_bucket_is_mirrored(world: World, bucket: Bucket) -> None:
    run = await put_bucket(world, bucket)
    assert (run.outcome, run.problems, run.error) == (SyncOutcome.SUCCEEDED, (), "")
    assert submitted(world) == {("papers/a.md", False), ("papers/deep/b.md", False)}
    bucket.put("in/a.md", "Another text.")
    bucket.delete("in/deep/b.md")
    bucket.put("in/d.md", "A new text.")
    run = await put_bucket(world, bucket)
    assert submitted(world) == {
        ("papers/a.md", False),
        ("papers/d.md", False),
        ("papers/deep/b.md", True),
    }
    assert (await put_bucket(world, bucket)).counts.unchanged == 2
    assert submitted(world) == set()


async def test_a_large_object_goes_in_pieces(world: World, bucket: Bucket) -> None:
    bucket.put("in/large.txt", "tea " * 200_000)
    await put_bucket(world, bucket)
    events = {event.document_id: event for event in world.events(DOCUMENT_SUBMITTED)}
    assert events["papers/large.txt"].content_uri is not None


async def test_a_bucket_that_is_not_there_is_no_empty_one(world: World, bucket: Bucket) -> None:
    await put_bucket(world, bucket)
    submitted(world)
    run = await put_bucket(world, bucket, url="s3://nowhere/in")
    assert (run.outcome, submitted(world)) == (SyncOutcome.FAILED, set())
    assert "s3://nowhere/in" in run.error


async def test_a_folder_that_came_back_empty_loses_nothing(world: World, bucket: Bucket) -> None:
    await put_bucket(world, bucket)
    submitted(world)
    run = await put_bucket(world, bucket, url="s3://papers/elsewhere")
    assert run.outcome is not SyncOutcome.SUCCEEDED
    assert submitted(world) == set()


async def test_an_endpoint_that_does_not_answer_is_told(world: World, bucket: Bucket) -> None:
    run = await put_bucket(world, bucket, endpoint_url="http://127.0.0.1:9")
    assert (run.outcome, "cannot be listed" in run.error) == (SyncOutcome.FAILED, True)


async def test_an_endpoint_whose_name_is_private_is_not_reached(
    world: World, bucket: Bucket
) -> None:
    around = replace(world.opener.surroundings, private_addresses=False)
    object.__setattr__(world.opener, "surroundings", around)
    endpoint = bucket.endpoint_url.replace("127.0.0.1", "localhost")
    run = await put_bucket(world, bucket, endpoint_url=endpoint)
    assert (run.outcome, "which is private" in run.error) == (SyncOutcome.FAILED, True)
    with pytest.raises(InvalidInput, match="is a private address"):
        await put_bucket(world, bucket, endpoint_url="http://169.254.169.254")


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"url": "/srv"}, "url", "no object store"),
        ({"url": "file:///srv/docs"}, "url", "no object store"),
        ({"url": "zip::s3://papers/a.zip"}, "url", "no object store"),
        ({"url": "gopher://papers"}, "url", "nobody knows"),
        ({"url": "adl://papers/in"}, "url", "package is missing"),
        ({"url": "s3://papers/in"}, "url", "GYRE_ALLOWED_CONTENT_ROOTS"),
        ({"url": "s3://papers/in", "key_id": "ann"}, "secret", "is missing"),
        ({"url": "s3://a/in", "key_id": "a", "secret": "../b"}, "secret", "name of a secret"),
        ({"url": "s3://a/in", "key_id": "a", "secret": "none"}, "secret", "write it into"),
        ({"url": "s3://a", "anonymous": "true", "endpoint_url": "s3"}, "endpoint_url", "https"),
    ],
)
async def test_what_cannot_work_is_refused_by_the_setting(
    world: World, settings: dict[str, str], field: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        await put(world, **settings)
    assert caught.value.field == field


async def test_a_place_that_the_operator_allows_is_read_as_the_ingestor(world: World) -> None:
    around = replace(world.opener.surroundings, stores=["memory://shelf/in"])
    object.__setattr__(world.opener, "surroundings", around)
    with pytest.raises(InvalidInput, match="may not be read as the ingestor"):
        await put(world, url="memory://shelf/inside")
    shelf = fsspec.filesystem("memory")
    shelf.pipe_file("/shelf/in/deep/a.md", b"Tea.")
    try:
        await put(world, url="memory://shelf/in/deep")
    finally:
        shelf.rm("/shelf", recursive=True)
    assert submitted(world) == {("papers/a.md", False)}
