"""The passages of an index, with their vectors, as a run learns against them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from elasticsearch import AsyncElasticsearch
from gyre_common.chunk_index import ENCODED_FOR, VECTOR, chunk_mapping
from gyre_common.elasticsearch import IndexMissing, open_elasticsearch
from gyre_common.errors import FailedPrecondition
from gyre_trainer.recipes.query_encoder.moved_passages import JudgedPassage, missing_of, moved_to
from gyre_trainer.recipes.query_encoder.prepare import snapshot
from gyre_trainer.runs.folder import RunFolder

pytestmark = pytest.mark.integration

LOCK = "The north lock closes at nine in the evening and opens again at six."


@pytest.fixture
async def client(
    elasticsearch_url: str, elasticsearch_login: tuple[str, str]
) -> AsyncIterator[AsyncElasticsearch]:
    async with open_elasticsearch(elasticsearch_url, elasticsearch_login) as opened:
        yield opened


@pytest.fixture
async def index(client: AsyncElasticsearch) -> AsyncIterator[str]:
    """1,100 passages of acme, in no order, and one of somebody else."""
    name = f"test-corpus-{uuid4()}"
    await client.indices.create(index=name, mappings=chunk_mapping(2))
    operations: list[dict[str, object]] = []
    for number in reversed(range(1100)):
        operations += [{"index": {"_index": name}}, a_passage(number, "acme")]
    operations += [{"index": {"_index": name}}, a_passage(5000, "other")]
    await client.bulk(operations=operations, refresh=True)
    yield name
    await client.indices.delete(index=name)


def a_passage(number: int, tenant: str) -> dict[str, object]:
    angle = number / 1000
    return {
        "tenant": tenant,
        "document_id": f"d{number}",
        "chunk_id": str(UUID(int=number)),
        "revision": 1,
        "ordinal": 0,
        "acl": ["staff"],
        "text": f"passage {number}",
        VECTOR: [float(np.cos(angle)), float(np.sin(angle))],
    }


async def take_snapshot(
    client: AsyncElasticsearch, index: str, folder: Path, *, tenant: str = "acme", most: int = 9999
) -> frozenset[str]:
    return await snapshot(
        client,
        index,
        RunFolder(folder),
        tenant=tenant,
        required={str(UUID(int=7)), str(uuid4())},
        most=most,
    )


async def test_every_passage_of_the_tenant_is_there_in_the_order_of_ids(
    client: AsyncElasticsearch, index: str, tmp_path: Path
) -> None:
    chunk_ids = await take_snapshot(client, index, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "corpus.jsonl").open()]
    vectors = np.load(tmp_path / "corpus.npy")
    assert len(chunk_ids) == len(rows) == len(vectors) == 1100
    assert [row["chunk_id"] for row in rows] == [str(UUID(int=number)) for number in range(1100)]
    assert rows[3] == {
        "chunk_id": str(UUID(int=3)),
        "tenant": "acme",
        "acl": ["staff"],
        "document_id": "d3",
        "title": "",
        "text": "passage 3",
    }
    assert vectors.dtype == np.float32
    assert vectors[3] == pytest.approx([np.cos(0.003), np.sin(0.003)])


async def test_the_same_index_gives_the_same_files(
    client: AsyncElasticsearch, index: str, tmp_path: Path
) -> None:
    files = []
    for _ in range(2):
        await take_snapshot(client, index, tmp_path)
        files.append([(tmp_path / f"corpus.{kind}").read_bytes() for kind in ("jsonl", "npy")])
    assert files[0] == files[1]


async def test_of_too_many_those_that_people_judged_stay(
    client: AsyncElasticsearch, index: str, tmp_path: Path
) -> None:
    chunk_ids = await take_snapshot(client, index, tmp_path, most=100)
    assert len(chunk_ids) == 100
    assert str(UUID(int=7)) in chunk_ids
    assert chunk_ids == await take_snapshot(client, index, tmp_path, most=100)


async def test_all_tenants_together_have_all_passages(
    client: AsyncElasticsearch, index: str, tmp_path: Path
) -> None:
    assert len(await take_snapshot(client, index, tmp_path, tenant="*")) == 1101


async def test_a_tenant_without_passages_is_told_so(
    client: AsyncElasticsearch, index: str, tmp_path: Path
) -> None:
    with pytest.raises(FailedPrecondition, match="holds no passages of nobody: submit documents"):
        await take_snapshot(client, index, tmp_path, tenant="nobody")


async def test_an_index_that_is_not_there_is_worth_trying_again(
    client: AsyncElasticsearch, tmp_path: Path
) -> None:
    with pytest.raises(IndexMissing):
        await take_snapshot(client, "test-corpus-none", tmp_path)


async def test_judged_passages_that_were_cut_anew_are_found_by_their_words(
    client: AsyncElasticsearch, index: str
) -> None:
    new = {**a_passage(6000, "acme"), "document_id": "lock", "text": f"Mind the step. {LOCK}"}
    foreign = {**a_passage(6001, "other"), "document_id": "lock", "text": LOCK}
    operations: list[dict[str, object]] = []
    for passage in (new, foreign):
        operations += [{"index": {"_index": index, "_id": passage["chunk_id"]}}, passage]
    there, old, laid_by = str(UUID(int=6000)), str(uuid4()), str(uuid4())
    operations += [{"index": {"_index": index, "_id": laid_by}}, {ENCODED_FOR: "lock"}]
    await client.bulk(operations=operations, refresh=True)

    missing = await missing_of(client, index, [there, old, laid_by])
    moved = await moved_to(
        client,
        index,
        {
            old: JudgedPassage("acme", "lock", LOCK),
            str(uuid4()): JudgedPassage("acme", "gone", LOCK),
        },
    )

    assert missing == {old, laid_by}
    assert moved == {old: there}
