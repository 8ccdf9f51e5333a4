"""Models and embeddings in OpenAI's shape."""

import openai
import pytest
from gyre.embedder.v1.embedder_pb2 import EmbedRequest
from gyre_common.errors import FailedPrecondition

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import Edge


async def test_versions_are_models_by_their_names(client: openai.AsyncOpenAI) -> None:
    models = [model.id async for model in await client.models.list()]
    assert models == ["gyre", "extractive-1", "minilm-1"]
    assert (await client.models.retrieve("extractive-1")).owned_by == "gyre"
    with pytest.raises(openai.NotFoundError, match="see /v1/models"):
        await client.models.retrieve("gpt-9")


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_texts_become_vectors(client: openai.AsyncOpenAI, encoding: str) -> None:
    reply = await client.embeddings.create(
        model="gyre",
        input=["warm tea", "cup"],
        encoding_format=encoding,  # type: ignore[arg-type]
    )
    assert [each.index for each in reply.data] == [0, 1]
    assert reply.usage.prompt_tokens == 3
    if encoding == "float":
        assert reply.data[0].embedding == pytest.approx([0.6, -0.8])


async def test_openais_client_reads_its_own_default_encoding(client: openai.AsyncOpenAI) -> None:
    reply = await client.embeddings.create(model="minilm-1", input="tea")
    assert reply.data[0].embedding == pytest.approx([0.6, -0.8])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": ["tea"] * 2_049}, "input"),
        ({"input": "tea", "dimensions": 7}, "dimensions"),
        ({"input": "tea", "encoding_format": "hex"}, "encoding_format"),
        ({}, "input"),
    ],
)
async def test_bad_requests_name_the_field(edge: Edge, body: dict[str, object], param: str) -> None:
    reply = await edge.http.post("/v1/embeddings", json={"model": "gyre", **body})
    assert (reply.status_code, reply.json()["error"]["param"].split(".")[0]) == (400, param)


async def test_a_model_that_is_not_there_is_refused_as_openai_does(edge: Edge) -> None:
    reply = await edge.http.post("/v1/embeddings", json={"model": "bert-9", "input": "tea"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")


async def test_more_texts_than_one_call_takes_come_back_in_their_order(
    client: openai.AsyncOpenAI, system: FakeSystem
) -> None:
    texts = [f"text {n}" for n in range(600)]
    reply = await client.embeddings.create(model="gyre", input=texts)
    assert [each.index for each in reply.data] == list(range(600))
    embedded = [request for request in system.requests if isinstance(request, EmbedRequest)]
    assert [text for request in embedded for text in request.texts] == texts
    assert [request.version for request in embedded] == ["", "minilm-1", "minilm-1"]


async def test_what_cannot_be_done_now_is_not_sent_again(
    client: openai.AsyncOpenAI, system: FakeSystem
) -> None:
    system.failures = [FailedPrecondition("the encoder cannot be loaded")] * 3
    with pytest.raises(openai.ConflictError):
        await client.embeddings.create(model="gyre", input="tea")
    assert len([each for each in system.requests if isinstance(each, EmbedRequest)]) == 1
