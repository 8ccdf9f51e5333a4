"""Documents over HTTP: JSON, files, lists, deletion."""

from typing import Any
from urllib.parse import quote

import pytest
from gyre.ingestor.v1 import ingestor_pb2
from gyre_common.errors import InvalidInput as Refusal
from gyre_common.errors import Unavailable

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import Edge

DOCUMENTS = "/v1/documents"


async def submit(edge: Edge, body: object, **headers: str) -> Any:
    return await edge.http.post(DOCUMENTS, json=body, headers=headers)


async def test_a_document_is_taken_as_it_stands_on_the_topic(
    edge: Edge, system: FakeSystem
) -> None:
    body = {
        "document_id": "kitchen/tea.md",
        "title": "Tea",
        "text": "80 degrees.",
        "media_type": "text/markdown",
        "source_uri": "https://example.com/tea",
        "metadata": {"team": "kitchen"},
        "acl": ["staff"],
    }
    reply = await submit(edge, body, **{"idempotency-key": "once"})
    assert reply.status_code == 202
    assert reply.json()["data"] == [{"document_id": "kitchen/tea.md", "submission_id": "s1"}]
    (request,) = system.requests
    document = request.document
    assert request.idempotency_key == "once"
    assert (document.document_id, document.title, document.text) == (
        "kitchen/tea.md",
        "Tea",
        "80 degrees.",
    )
    assert (dict(document.metadata), list(document.acl)) == ({"team": "kitchen"}, ["staff"])


async def test_each_document_of_many_has_its_own_outcome(edge: Edge, system: FakeSystem) -> None:
    good, empty = {"document_id": "a", "text": "x"}, {"document_id": "b", "text": "nothing"}
    bad = {"document_id": "c", "text": "x", "owner": "ann"}
    misspelt = {"documentId": "d", "text": "x"}
    reply = await submit(edge, {"documents": [good, empty, bad, 7, misspelt]})
    assert reply.status_code == 202
    data = reply.json()["data"]
    assert [one["document_id"] for one in data] == ["a", "b", "c", "", ""]
    assert [one.get("error", {}).get("param") for one in data] == [
        None,
        "text",
        "owner",
        "documents",
        "documentId",
    ]
    assert data[1]["error"]["code"] == "empty"
    assert data[2]["error"]["message"] == "owner is not known here: leave it out"
    message = "documentId is not known here: did you mean `document_id`?"
    assert data[4]["error"]["message"] == message


async def test_where_none_is_taken_the_reply_is_an_error(edge: Edge, system: FakeSystem) -> None:
    reply = await submit(edge, {"document_id": "a", "text": "nothing"})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == "text"
    assert reply.json()["data"][0]["document_id"] == "a"
    system.failures += [Unavailable("Kafka is away", retry_after_seconds=0.01)] * 10
    reply = await submit(edge, {"documents": [{"document_id": "a"}, {"document_id": "b"}]})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


async def test_two_of_one_name_take_not_each_others_place(edge: Edge, system: FakeSystem) -> None:
    twins = [{"document_id": "a", "text": text} for text in ("x", "y")]
    reply = await submit(edge, {"documents": [*twins, {"document_id": "b", "text": "z"}]})
    assert [("error" in one) for one in reply.json()["data"]] == [True, True, False]
    assert [request.document.document_id for request in system.requests] == ["b"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], "body"),
        ({"documents": []}, "documents"),
        ({"documents": {"a": 1}}, "documents"),
        ({"documents": [], "title": "x"}, "title"),
        ({"text": "x"}, "document_id"),
        ({"document_id": "x" * 513, "text": "x"}, "document_id"),
        ({"document_id": "d", "metadata": {"a": 1}}, "metadata.a"),
        ({"document_id": "d", "acl": "staff"}, "acl"),
        ({"document_id": "d", "tenant": "other"}, "tenant"),
    ],
)
async def test_bad_documents_name_the_field(
    edge: Edge, system: FakeSystem, body: object, param: str
) -> None:
    reply = await submit(edge, body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert not system.requests


async def test_other_kinds_of_body_are_named(edge: Edge) -> None:
    for content, kind, param in (
        (b"{", "application/json", "body"),
        (b'"\\ud800"', "application/json", "body"),
        (b"[" * 100_000, "application/json", "body"),
        (b"a=b", "application/x-www-form-urlencoded", "content-type"),
        (b"x", "multipart/form-data", "body"),
        (b"x", "multipart/form-data; boundary=xyz", "body"),
        (b"--x\r\n\r\ntext\r\n--x--", "multipart/form-data; boundary=x", "body"),
    ):
        reply = await edge.http.post(DOCUMENTS, content=content, headers={"content-type": kind})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param), content[:20]


async def test_documents_are_listed_page_by_page_by_words_and_state(
    edge: Edge, system: FakeSystem
) -> None:
    query: dict[str, Any] = {"limit": 1, "search": "tea", "state": "rejected", "colour": "green"}
    query |= {"document_id": ["a/b.md", "c"], "language": "de"}
    first = (await edge.http.get(DOCUMENTS, params=query)).json()
    assert (first["data"][0]["document_id"], first["has_more"]) == ("first", True)
    last = (await edge.http.get(DOCUMENTS, params={**query, "after": first["next"]})).json()
    assert (last["has_more"], last["next"]) == (False, None)
    request = system.requests[-1]
    assert (request.page_size, request.page_token, request.search, request.state) == (
        1,
        "more",
        "tea",
        2,
    )
    assert request.document_ids == ["a/b.md", "c"]
    assert request.language == "de"


async def test_a_list_names_duplicates_where_it_is_asked_to(edge: Edge) -> None:
    for query, names in (("", []), ("?duplicates=true", ["copy"])):
        reply = await edge.http.get(f"{DOCUMENTS}{query}")
        (one,) = reply.json()["data"]
        assert [each["document_id"] for each in one["duplicates"]] == names
    reply = await edge.http.get(f"{DOCUMENTS}/first")
    assert reply.json()["duplicates"][1]["similarity"] == 0.75


async def test_a_list_that_cannot_be_names_the_parameter(edge: Edge, system: FakeSystem) -> None:
    for name, value in (("limit", 0), ("limit", "many"), ("limit", 1001), ("state", "lost")):
        reply = await edge.http.get(DOCUMENTS, params={name: value})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, name)
    system.failures.append(Refusal("page_token", "is not one of ours", "send another"))
    reply = await edge.http.get(DOCUMENTS, params={"after": "x"})
    assert reply.json()["error"]["message"] == "after is not one of ours: send another"


@pytest.mark.parametrize(
    "document_id", ["tea.md", "a/b/c.md", "naïve 50% #1?.md", "a//b", "日本/茶.txt", "x&y=z+1"]
)
async def test_any_name_is_shown_and_deleted_by_it(
    edge: Edge, system: FakeSystem, document_id: str
) -> None:
    path = f"{DOCUMENTS}/{quote(document_id, safe='')}"
    shown = (await edge.http.get(path)).json()
    assert shown["document_id"] == document_id
    assert shown["timeline"][0]["submission_id"] == "s1"
    reply = await edge.http.delete(path, headers={"idempotency-key": "once"})
    assert reply.status_code == 202
    assert reply.json() == {
        "document_id": document_id,
        "submission_id": "s2",
        "deleted": True,
    }
    assert system.requests[-1].document_id == document_id
    assert system.requests[-1].idempotency_key == "once"


async def test_a_document_that_is_not_there_is_not_found(edge: Edge) -> None:
    reply = await edge.http.get(f"{DOCUMENTS}/missing")
    assert (reply.status_code, reply.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize("verdict", ["released", "confirmed"])
async def test_a_document_in_quarantine_is_decided_of(
    edge: Edge, system: FakeSystem, verdict: str
) -> None:
    body = {"verdict": verdict, "reason": "a quote"}
    reply = await edge.http.post(f"{DOCUMENTS}/mail/held.eml/quarantine", json=body)
    assert (reply.status_code, reply.json()["verdict"]) == (202, verdict)
    (request,) = system.requests
    assert (request.document_id, request.reason) == ("mail/held.eml", "a quote")
    name = ingestor_pb2.QuarantineVerdict.Name(request.verdict)
    assert name == f"QUARANTINE_VERDICT_{verdict.upper()}"


async def test_a_decision_that_cannot_be_is_refused_with_its_field(edge: Edge) -> None:
    reply = await edge.http.post(f"{DOCUMENTS}/held.eml/quarantine", json={"verdict": "maybe"})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == "verdict"
    reply = await edge.http.post(f"{DOCUMENTS}/missing/quarantine", json={"verdict": "released"})
    assert reply.status_code == 409
    assert "nothing was seen" in reply.json()["error"]["message"]
