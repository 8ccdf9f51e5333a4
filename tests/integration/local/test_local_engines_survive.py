"""Each engine keeps what it acknowledged, however it ends, and does what Gyre asks of it."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import aiokafka
import httpx2 as httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from gyre_local.engines import ENGINES
from gyre_local.ports import Ports
from gyre_local.secrets import CLICKHOUSE_PASSWORD, ELASTICSEARCH_PASSWORD, Secret
from gyre_local.state import Status
from gyre_local.supervisor import Supervisor
from gyre_local.testing import reserved_offset

from tests.system import wait_ready

pytestmark = pytest.mark.integration

DEADLINE = 90.0


@pytest.fixture
def ports() -> Iterator[Ports]:
    with reserved_offset() as offset:
        yield Ports(offset)


async def kill_and_wait_for_restart(supervisor: Supervisor) -> None:
    (before,) = supervisor.state.processes
    assert before.identity is not None
    os.kill(before.identity.pid, signal.SIGKILL)
    async for state in supervisor.watch():
        (now,) = state.processes
        if now.restarts > before.restarts and now.status is Status.READY:
            return


async def test_kafka_killed_keeps_its_records(tmp_path: Path, ports: Ports) -> None:
    async with Supervisor([ENGINES["kafka"](tmp_path, ports)], tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        await make_topic(ports.kafka_servers, "facts", cleanup="delete")
        async with aiokafka.AIOKafkaProducer(
            bootstrap_servers=ports.kafka_servers, acks="all"
        ) as producer:
            for number in range(100):
                await producer.send_and_wait("facts", str(number).encode())
        await kill_and_wait_for_restart(supervisor)
        assert await values(ports.kafka_servers, "facts") == [str(n).encode() for n in range(100)]


async def test_kafka_runs_transactions_and_makes_no_topic_unasked(kafka_servers: str) -> None:
    topic = f"releases-{uuid.uuid4().hex}"
    await make_topic(kafka_servers, topic, cleanup="compact")
    async with aiokafka.AIOKafkaProducer(
        bootstrap_servers=kafka_servers, transactional_id=topic
    ) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted", key=b"k")
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topic, b"committed", key=b"k")
    assert await values(kafka_servers, topic) == [b"committed"]

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
    await admin.start()
    try:
        await admin.describe_topics(["unasked"])  # asking for one must not make it
        assert "unasked" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_elasticsearch_killed_keeps_its_documents(tmp_path: Path, ports: Ports) -> None:
    spec = ENGINES["elasticsearch"](tmp_path, ports)
    async with Supervisor([spec], tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        login = ("elastic", Secret.of(tmp_path, ELASTICSEARCH_PASSWORD).read())
        async with httpx.AsyncClient(
            base_url=ports.elasticsearch_url, auth=login, timeout=30
        ) as client:
            await client.put(
                "/chunks",
                json={
                    "mappings": {"properties": {"text": {"type": "text", "analyzer": "english"}}}
                },
            )
            for number in range(20):
                response = await client.put(f"/chunks/_doc/{number}", json={"text": "running dogs"})
                assert response.status_code == 201
            await kill_and_wait_for_restart(supervisor)
            assert await count_matches(client, "dog") == 20


async def test_clickhouse_killed_or_stopped_keeps_its_rows_and_its_password(
    tmp_path: Path, ports: Ports
) -> None:
    spec = ENGINES["clickhouse"](tmp_path, ports)
    async with Supervisor([spec], tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        login = ("default", Secret.of(tmp_path, CLICKHOUSE_PASSWORD).read())
        async with httpx.AsyncClient(
            base_url=ports.clickhouse_url, auth=login, timeout=30
        ) as client:
            await sql(client, "CREATE DATABASE gyre")
            await sql(client, "CREATE TABLE gyre.facts (n UInt32) ENGINE = MergeTree ORDER BY n")
            await sql(client, "INSERT INTO gyre.facts SELECT number FROM numbers(1000)")
            await kill_and_wait_for_restart(supervisor)
            assert await sql(client, "SELECT count() FROM gyre.facts") == "1000"

    async with Supervisor([spec], tmp_path) as supervisor:
        await wait_ready(supervisor, DEADLINE)
        async with httpx.AsyncClient(
            base_url=ports.clickhouse_url, auth=login, timeout=30
        ) as client:
            assert await sql(client, "SELECT sum(n) FROM gyre.facts") == "499500"


@pytest.mark.parametrize(
    ("analyzer", "text", "stem"),
    [
        ("english", "the running dogs", "run"),
        ("german", "die laufenden Hunde", "hund"),
        ("french", "les chevaux", "cheval"),
        ("spanish", "los gatos", "gat"),
        ("cjk", "東京都", "東京"),
    ],
)
def test_language_analyzers_carry_full_elasticsearch_names(
    elasticsearch_url: str,
    elasticsearch_login: tuple[str, str],
    analyzer: str,
    text: str,
    stem: str,
) -> None:
    answer = httpx.post(
        f"{elasticsearch_url}/_analyze",
        auth=elasticsearch_login,
        json={"analyzer": analyzer, "text": text},
        timeout=30,
    )
    assert stem in [token["token"] for token in answer.json()["tokens"]]


def test_elasticsearch_searches_quantized_vectors_under_a_filter(
    elasticsearch_url: str, elasticsearch_login: tuple[str, str]
) -> None:
    index = f"vectors-{uuid.uuid4().hex}"
    vector = {"type": "dense_vector", "dims": 4, "index_options": {"type": "int8_hnsw"}}
    with httpx.Client(base_url=elasticsearch_url, auth=elasticsearch_login, timeout=30) as client:
        properties = {"vector": vector, "tenant": {"type": "keyword"}}
        client.put(f"/{index}", json={"mappings": {"properties": properties}}).raise_for_status()
        for number in range(10):
            body = {"vector": [1, number, 0, 1], "tenant": "a" if number % 2 else "b"}
            client.put(f"/{index}/_doc/{number}", json=body).raise_for_status()
        client.post(f"/{index}/_refresh").raise_for_status()
        nearest = {
            "field": "vector",
            "query_vector": [1, 4, 0, 1],
            "k": 3,
            "num_candidates": 10,
            "filter": {"term": {"tenant": "a"}},
        }
        answer = client.post(f"/{index}/_search", json={"knn": nearest}).raise_for_status()
    assert {hit["_id"] for hit in answer.json()["hits"]["hits"]} <= {"1", "3", "5", "7", "9"}
    assert {"3", "5"} <= {hit["_id"] for hit in answer.json()["hits"]["hits"]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_all/_close"),
        ("POST", "/_close"),
        ("PUT", "/_cluster/settings"),
        ("GET", "/_cluster/health"),
        ("GET", "/_cat/indices"),
        ("POST", "/_bulk"),
        ("DELETE", "/_all"),
        ("OPTIONS", "/"),
        ("HEAD", "/"),
        ("GET", "/"),
        ("GET", "/favicon.ico"),
        ("POST", "/no/such/path"),
        ("TRACE", "/_search"),
    ],
)
@pytest.mark.parametrize("login", [None, ("elastic", ""), ("elastic", "guess"), ("", "")])
def test_elasticsearch_asks_for_its_password_on_every_path(
    elasticsearch_url: str, login: tuple[str, str] | None, method: str, path: str
) -> None:
    page = {"Origin": "https://example.org", "Content-Type": "text/plain"}
    answer = httpx.request(
        method, f"{elasticsearch_url}{path}", auth=login, headers=page, content="{}", timeout=30
    )
    assert answer.status_code == 401 or (method == "TRACE" and answer.status_code == 400)
    assert "www-authenticate" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_elasticsearch_serves_who_knows_the_password_on_the_same_connection(
    elasticsearch_url: str, elasticsearch_login: tuple[str, str]
) -> None:
    bulk = {"Content-Type": "application/x-ndjson"}
    with httpx.Client(base_url=elasticsearch_url, timeout=30) as client:
        text = '{"delete": {"_index": "none", "_id": "1"}}\n' * 5000
        wrong = ("elastic", "guess")
        for login, status in ((wrong, 401), (elasticsearch_login, 200), (wrong, 401)):
            answer = client.post("/_bulk", auth=login, headers=bulk, content=text)
            assert answer.status_code == status


async def make_topic(servers: str, name: str, *, cleanup: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        settings = {"cleanup.policy": cleanup}
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=settings)])
    finally:
        await admin.close()


async def values(servers: str, topic: str) -> list[bytes]:
    """All committed records, in order."""
    partition = aiokafka.TopicPartition(topic, 0)
    async with aiokafka.AIOKafkaConsumer(
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    ) as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        read: list[bytes] = []
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=200)
            read += [record.value for records in batches.values() for record in records]
        return read


async def count_matches(client: httpx.AsyncClient, word: str) -> int:
    await client.post("/chunks/_refresh")
    answer = await client.post("/chunks/_search", json={"query": {"match": {"text": word}}})
    return int(answer.json()["hits"]["total"]["value"])


async def sql(client: httpx.AsyncClient, statement: str) -> str:
    answer = await client.post("/", content=statement)
    assert answer.status_code == 200, answer.text
    return answer.text.strip()
