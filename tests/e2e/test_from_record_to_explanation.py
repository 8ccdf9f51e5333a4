"""The whole story on the real engines: a Kafka record becomes an answer that can be explained."""

import json
import uuid
from pathlib import Path

import clickhouse_connect
import grpc
import openai
import pytest
from aiokafka import AIOKafkaProducer
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc

from tests.eventually import eventually
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TEA = """# Brewing tea

## Green tea

Green tea is best brewed at 80 degrees Celsius for two minutes. Boiling water makes it bitter.

## Black tea

Black tea wants boiling water and four minutes.
"""


async def produce(system: System, document: dict[str, object]) -> None:
    """What any Kafka client can do: no key, no headers, a JSON value."""
    producer = AIOKafkaProducer(bootstrap_servers=system.ports.kafka_servers)
    await producer.start()
    try:
        await producer.send_and_wait("documents.submitted.v1", json.dumps(document).encode())
    finally:
        await producer.stop()


async def stream_answer(
    system: System, question: str, *metadata: tuple[str, str]
) -> tuple[str, generator_pb2.AnswerResponse]:
    """The text as it streamed, and the reply that ended the stream."""
    target = f"127.0.0.1:{system.ports.grpc('generator')}"
    async with grpc.aio.insecure_channel(target) as channel:
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        text, finished = "", None
        request = generator_pb2.AnswerRequest(question=question)
        async for piece in stub.StreamAnswer(request, metadata=metadata, timeout=30):
            text += piece.delta.text
            if piece.HasField("finished"):
                finished = piece.finished
    assert finished is not None
    return text, finished


async def test_a_kafka_record_becomes_an_answer_that_is_judged_voted_on_and_explained(
    system: System,
) -> None:
    await produce(
        system,
        {
            "document_id": "tea.md",
            "text": TEA,
            "media_type": "text/markdown",
            "source_uri": "https://example.com/tea",
        },
    )

    trace_id = uuid.uuid4().hex
    trace = ("traceparent", f"00-{trace_id}-{uuid.uuid4().hex[:16]}-01")

    async def answer_when_ready() -> generator_pb2.AnswerResponse | None:
        question = "How hot should the water for green tea be?"
        text, reply = await stream_answer(system, question, trace)
        assert text == reply.answer
        return reply if reply.outcome == generator_pb2.OUTCOME_ANSWERED else None

    await eventually(answer_when_ready, timeout=60)
    # The first answer may come between two refreshes, when one leg saw the page and the other not.
    reply = await answer_when_ready()
    assert reply is not None
    assert "80 degrees" in reply.answer
    cited = reply.citations[0]
    assert (cited.document_id, cited.title) == ("tea.md", "Brewing tea")
    assert reply.answer[cited.start : cited.end] == cited.quote

    system.gyre("vote", reply.interaction_id, "up", "--comment", "just right")

    client = await clickhouse_connect.get_async_client(
        host="127.0.0.1", port=system.ports.clickhouse, username="analyst"
    )

    async def landed() -> dict[str, object] | None:
        rows = await client.query(
            "SELECT * FROM gyre.answers WHERE interaction_id = {id:UUID}",
            parameters={"id": reply.interaction_id},
        )
        row = next(iter(rows.named_results()), None)
        return row if row and row["groundedness"] is not None and row["thumbs_up"] else None

    row = await eventually(landed, timeout=30)
    await client.close()
    assert row["outcome"] == "answered"
    assert row["thumbs_up"] == 1

    story = system.json("explain", reply.interaction_id)
    assert story["question"] == "How hot should the water for green tea be?"
    assert story["versions"]["retrieval"] == reply.versions["retrieval"]
    assert any(chunk["used"] and chunk["scores"]["bm25"] > 0 for chunk in story["retrieved"])
    assert {score["metric"] for score in story["verdicts"]} >= {"groundedness"}
    assert story["feedback"][0]["comment"] == "just right"
    assert story["latency_ms"]["total"] > 0
    assert story["trace_id"] == trace_id  # from the caller, through Kafka, to ClickHouse


async def test_a_deleted_document_answers_no_more(system: System) -> None:
    marker = f"quibberflux-{uuid.uuid4().hex[:6]}"
    question = f"What is the {marker} valve rated for?"
    document: dict[str, object] = {
        "document_id": marker,
        "text": f"The {marker} valve is rated for 12 bar.",
    }

    async def outcome(kind_of_outcome: int) -> bool:
        _, reply = await stream_answer(system, question)
        cites_marker = any(citation.document_id == marker for citation in reply.citations)
        return reply.outcome == kind_of_outcome and cites_marker == (
            kind_of_outcome == generator_pb2.OUTCOME_ANSWERED
        )

    await produce(system, document)
    await eventually(lambda: outcome(generator_pb2.OUTCOME_ANSWERED), timeout=60)
    await produce(system, {"document_id": marker, "deleted": True})
    await eventually(lambda: outcome(generator_pb2.OUTCOME_ABSTAINED), timeout=60)


async def test_a_document_with_access_groups_answers_only_to_those_groups_and_is_theirs_to_change(
    system: System, tmp_path: Path
) -> None:
    await produce(
        system,
        {
            "document_id": "salaries",
            "text": "The salary of the harbour pilot is 5,200 euros a month.",
            "acl": ["payroll"],
        },
    )
    question = "What is the salary of the harbour pilot?"

    async def insider_is_answered() -> bool:
        _, reply = await stream_answer(system, question, ("gyre-acl", "payroll"))
        return "5,200" in reply.answer

    await eventually(insider_is_answered, timeout=60)
    for metadata in ((), (("gyre-acl", "kitchen"),), (("gyre-tenant", "other"),)):
        _, reply = await stream_answer(system, question, *metadata)
        assert "5,200" not in reply.answer

    changed = tmp_path / "salaries"
    changed.write_text("The harbour pilot works for nothing.")
    named = ("submit", str(changed), "--id", "salaries", "--media-type", "text/plain")
    refused = system.gyre(*named, check=False)
    assert (refused.returncode, "name_reserved" in refused.stdout) == (1, True), refused.stdout
    refused = system.gyre("delete", "salaries", check=False)
    assert (refused.returncode, "no such document" in refused.stderr) == (1, True), refused.stderr
    assert await insider_is_answered()
    assert system.json("delete", "salaries", "--acl", "payroll")["deleted"] == 1


async def test_submit_waits_until_searchable_and_names_what_it_could_not_read(
    system: System, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "good.md").write_text("# Locks\n\nThe north lock closes at nine in the evening.\n")
    (folder / "bad.txt").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n")
    (folder / "empty.txt").write_text("  \n")

    done = system.gyre("submit", str(folder), "--json", check=False)

    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["indexed"] == 1
    codes = {entry["document_id"]: entry["code"] for entry in report["rejected"]}
    assert {code for key, code in codes.items() if key.endswith("empty.txt")} == {"empty"}
    assert {code for key, code in codes.items() if key.endswith("bad.txt")} == {"corrupt"}
    assert "Traceback" not in done.stderr
    answer = system.json("ask", "When does the north lock close?")
    assert "nine in the evening" in answer["answer"]


async def test_the_page_and_openais_clients_have_an_address(system: System) -> None:
    url = system.json("open", "--address")["url"]
    async with openai.AsyncOpenAI(base_url=f"{url}v1", api_key="any") as client:
        reply = await client.chat.completions.create(
            model="gyre", messages=[{"role": "user", "content": "How is green tea brewed?"}]
        )
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model_extra is not None
    interaction = system.json("explain", reply.model_extra["gyre"]["interaction_id"])
    assert interaction["question"] == "How is green tea brewed?"
