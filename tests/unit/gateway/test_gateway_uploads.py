"""Files over HTTP: whatever they are called and however large, nothing is held whole."""

import asyncio
import base64
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gyre_gateway.uploads import MOST_FILES

from tests.eventually import eventually
from tests.unit.client.fake_system import FakeSystem
from tests.unit.failing_disk import NEW_FILE, failing
from tests.unit.gateway.edge import Edge, an_edge

DOCUMENTS = "/v1/documents"
LIMIT = 4 * 1024 * 1024
FORM = {"content-type": "multipart/form-data; boundary=b"}


@pytest.fixture
async def edge(system: FakeSystem, tmp_path: Path) -> AsyncIterator[Edge]:
    async with an_edge(system, home=tmp_path, max_document_bytes=LIMIT) as edge:
        yield edge


def uploaded(tmp_path: Path) -> list[bytes]:
    return [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]


async def send(edge: Edge, *files: tuple[str, bytes], **fields: object) -> Any:
    return await edge.http.post(DOCUMENTS, files=[("file", each) for each in files], data=fields)


def head(name: str) -> bytes:
    disposition = f'content-disposition: form-data; name="file"; filename="{name}"'
    return b"--b\r\n" + disposition.encode() + b"\r\n\r\n"


async def test_files_become_documents_with_the_fields_beside_them(
    edge: Edge, system: FakeSystem
) -> None:
    reply = await send(
        edge,
        ("notes/tea.md", b"# Tea"),
        ("cup.txt", b"A cup."),
        metadata='{"team": "kitchen"}',
        acl=["staff, guests", "owners"],
        source_uri="https://example.com",
    )
    assert reply.status_code == 202
    assert [one["document_id"] for one in reply.json()["data"]] == ["notes/tea.md", "cup.txt"]
    first = next(r.document for r in system.requests if r.document.document_id == "notes/tea.md")
    assert base64.b64decode(first.content_base64) == b"# Tea"
    assert (dict(first.metadata), list(first.acl)) == (
        {"team": "kitchen"},
        ["staff", "guests", "owners"],
    )


async def test_a_large_file_goes_to_the_store_and_is_submitted_by_reference(
    edge: Edge, system: FakeSystem, tmp_path: Path
) -> None:
    content = bytes(range(256)) * (LIMIT // 256)
    reply = await send(edge, ("big.txt", content), document_id="mine", title="Big")
    assert reply.json()["data"][0]["document_id"] == "mine"
    document = system.requests[0].document
    assert (document.title, document.content_base64) == ("Big", "")
    assert document.content_uri.startswith(f"file://{tmp_path}/store/uploads/")
    assert Path(document.content_uri.removeprefix("file://")).read_bytes() == content


async def test_a_file_past_the_limit_is_refused_and_held_nowhere(
    edge: Edge, system: FakeSystem, tmp_path: Path
) -> None:
    async def large() -> AsyncIterator[bytes]:
        yield head("large.txt")
        for _ in range(1_000):
            yield bytes(65_536)

    tracemalloc.start()
    reply = await edge.http.post(DOCUMENTS, content=large(), headers=FORM)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (413, "too_large")
    assert "large.txt has more than 4,194,304 bytes" in error["message"]
    assert peak < LIMIT
    assert not system.requests
    assert not uploaded(tmp_path)


async def test_an_endless_file_is_refused_at_the_limit_and_then_cut_off(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_gateway.guard._LINGER_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(edge.url.rpartition(":")[2]))
    writer.write(
        b"POST /v1/documents HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n"
        b"content-type: multipart/form-data; boundary=b\r\n\r\n"
    )
    refused = asyncio.create_task(reader.readline())

    async def send_for_ever() -> None:
        piece = head("endless.txt")
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            piece = bytes(65_536)

    with pytest.raises(ConnectionError):
        await send_for_ever()
    assert (await refused).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_only_documents_take_more_than_a_message_carries(edge: Edge) -> None:
    body = head("x.txt") + bytes(5 * 1024 * 1024)
    reply = await edge.http.post("/v1/embeddings", content=body, headers=FORM)
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_large")


async def test_five_hundred_files_at_once_are_taken(
    edge: Edge, system: FakeSystem, tmp_path: Path
) -> None:
    files = [(f"{number}.txt", b"tea " * 20_000) for number in range(500)]
    reply = await send(edge, *files)
    assert reply.status_code == 202
    assert all("submission_id" in one for one in reply.json()["data"])
    documents = [request.document for request in system.requests]
    assert len({document.document_id for document in documents}) == 500
    held = sum(len(document.content_base64) for document in documents)
    assert 0 < held < 16 * 1024 * 1024
    assert uploaded(tmp_path) == [b"tea " * 20_000]


@pytest.mark.parametrize(
    ("name", "document_id"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\x\\tea.md", "tea.md"),
        ("\\\\server\\share\\tea.md", "tea.md"),
        ("a\\b.md", "a/b.md"),
        ("./a//b.md", "a/b.md"),
        ("<script>.md", "<script>.md"),
        ("日本.txt", "日本.txt"),
    ],
)
async def test_a_name_with_path_parts_stays_in_its_folder(
    edge: Edge, name: str, document_id: str
) -> None:
    body = head(name) + b"text\r\n--b--\r\n"
    reply = await edge.http.post(DOCUMENTS, content=body, headers=FORM)
    assert reply.json()["data"][0]["document_id"] == document_id


@pytest.mark.parametrize("name", ["", "..", "a/..", "C:\\", "a\0.md", "a\x1b[31m.md", "x" * 10_000])
async def test_a_name_that_cannot_be_is_refused_and_the_others_go_on(
    edge: Edge, system: FakeSystem, name: str
) -> None:
    good = head("good.md") + b"text\r\n"
    body = good + head(name) + b"text\r\n--b--\r\n"
    data = (await edge.http.post(DOCUMENTS, content=body, headers=FORM)).json()["data"]
    assert data[0] == {"document_id": "good.md", "submission_id": "s1"}
    assert data[1]["error"]["param"].startswith("file ")
    assert "send another as document_id" in data[1]["error"]["message"]
    assert len(system.requests) == 1


async def test_an_empty_file_is_refused_alone(edge: Edge, system: FakeSystem) -> None:
    data = (await send(edge, ("empty.md", b""), ("tea.md", b"80"))).json()["data"]
    assert [one.get("error", {}).get("message") for one in data] == [
        "file is empty: send one with text in it",
        None,
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"metadata": "{"}, "metadata"),
        ({"metadata": "[1]"}, "metadata"),
        ({"metadata": '{"a": 1}'}, "metadata.a"),
        ({"owner": "ann"}, "owner"),
        ({"text": "x"}, "text"),
        ({"title": ["a", "b"]}, "title"),
        ({"document_id": "x" * 513}, "document_id"),
        ({"title": "x" * 70_000}, "title"),
        ({"file": "text"}, "file"),
        ({"acl": [str(number) for number in range(301)]}, "acl"),
    ],
)
async def test_bad_fields_are_named_and_nothing_is_taken(
    edge: Edge, system: FakeSystem, fields: dict[str, object], param: str
) -> None:
    reply = await send(edge, ("tea.md", b"80"), **fields)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert not system.requests


async def test_forms_that_are_none_of_files_are_named(edge: Edge, system: FakeSystem) -> None:
    for files, data, param in (
        ([("image", ("a.md", b"x"))], {}, "image"),
        ([("file", ("a.md", b"x")), ("file", ("b.md", b"y"))], {"document_id": "c"}, "document_id"),
        ([("file", (f"{n}", b"x")) for n in range(MOST_FILES + 1)], {}, "file"),
    ):
        reply = await edge.http.post(DOCUMENTS, files=files, data=data)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    only_fields = b'--b\r\ncontent-disposition: form-data; name="title"\r\n\r\nx\r\n--b--'
    for body in (only_fields, b"--b--"):
        reply = await edge.http.post(DOCUMENTS, content=body, headers=FORM)
        assert reply.status_code == 400
    assert not system.requests


async def test_a_form_that_ends_in_the_middle_takes_nothing(
    edge: Edge, system: FakeSystem, tmp_path: Path
) -> None:
    body = head("a.md") + bytes(1024 * 1024)
    reply = await edge.http.post(DOCUMENTS, content=body, headers=FORM)
    assert reply.json()["error"]["message"].startswith("body ends in the middle")
    assert not uploaded(tmp_path)
    assert not system.requests


async def test_an_upload_whose_sender_goes_away_leaves_nothing(
    edge: Edge, system: FakeSystem, tmp_path: Path
) -> None:
    began = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield head("a.md") + bytes(1024 * 1024)
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(edge.http.post(DOCUMENTS, content=stalls(), headers=FORM))
    await began.wait()
    await eventually(lambda: uploaded(tmp_path))
    task.cancel()
    await eventually(lambda: not uploaded(tmp_path))
    assert not system.requests


@pytest.mark.parametrize(
    ("path", "kind", "sent"),
    [
        (DOCUMENTS, FORM["content-type"], head("a.md") + bytes(1024 * 1024)),
        (DOCUMENTS, FORM["content-type"], b"--b"),
        (DOCUMENTS, "application/json", b'{"document_id": "a"'),
        ("/v1/chat/completions", "application/json", b'{"model": "gyre"'),
    ],
)
async def test_a_body_that_stalls_is_not_waited_for_and_leaves_nothing(
    system: FakeSystem, tmp_path: Path, path: str, kind: str, sent: bytes
) -> None:
    async with an_edge(system, home=tmp_path, body_stall_seconds=0.3) as edge:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(edge.url.rpartition(":")[2])
        )
        writer.write(
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\n"
            f"content-length: {len(sent) + 9}\r\n\r\n".encode()
        )
        writer.write(sent)
        await writer.drain()
        reply = await reader.read()  # to the end: the connection is closed behind it
        writer.close()
    assert reply.startswith(b"HTTP/1.1 408 ")
    error = json.loads(reply.partition(b"\r\n\r\n")[2])["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "body_stalled")
    assert "nothing of the body came for 0.3 s" in error["message"]
    assert not uploaded(tmp_path)
    assert not system.requests


async def test_an_answer_may_take_longer_than_a_body_may_pause(system: FakeSystem) -> None:
    body = {"model": "gyre", "stream": True, "messages": [{"role": "user", "content": "slow"}]}
    async with (
        an_edge(system, body_stall_seconds=0.05, heartbeat_seconds=0.05) as edge,
        edge.http.stream("POST", "/v1/chat/completions", json=body) as reply,
    ):
        lines = []
        async for line in reply.aiter_lines():
            lines.append(line)
            if len([each for each in lines if each.startswith(":")]) == 5:
                system.released.set()
    assert "data: [DONE]" in lines


async def test_a_full_store_says_when_to_come_back(edge: Edge, system: FakeSystem) -> None:
    with failing(NEW_FILE):
        reply = await send(edge, ("big.txt", bytes(1024 * 1024)))
    assert reply.status_code == 503
    assert "No space left" in reply.json()["error"]["message"]
    assert reply.headers["retry-after"]
    assert not system.requests
