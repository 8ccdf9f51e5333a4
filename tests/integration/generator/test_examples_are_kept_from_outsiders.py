"""What only a restricted document's correction says never reaches a prompt of an outsider's."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID, uuid4, uuid5

import numpy as np
import pytest
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub
from gyre_common.chunk_index import IndexedChunk
from gyre_common.context import RequestContext, use_context
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.events.interactions import InteractionCompleted
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import ModelFolders
from gyre_common.prompt_examples import EXAMPLES_FILE, PromptExample, read_examples
from gyre_common.releases.builtin import CHUNK_INDEX
from gyre_common.rpc import call, channel, serve
from gyre_common.store import Store
from gyre_embedder.chunk_index import EncodedChunk
from gyre_embedder.elasticsearch_index import ElasticsearchIndex
from gyre_generator.ask import Ask
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.examples import ExampleSets
from gyre_generator.progress import Steps
from gyre_generator.prompts import Prompts
from gyre_generator.service import Answerer
from gyre_retriever.elasticsearch_search import ElasticsearchSearch
from gyre_retriever.rpc import RetrieverRpc
from gyre_retriever.service import Retriever
from gyre_trainer.segments.facts import PartitionFacts

from tests.builders import a_release
from tests.fakes.bus import MemoryBus
from tests.fakes.model_server import DONE, EVENTS, delta_event, model_server, once
from tests.fakes.retriever import FixedEncoder
from tests.unit.generator.conftest import built_in_releases, steps_of
from tests.unit.generator.test_generator_openai import chat_client
from tests.unit.trainer.answer_facts import a_correction, many_answers, text_of
from tests.unit.trainer.test_few_shot import Stage
from tests.unit.trainer.training_facts import MORNING

pytestmark = pytest.mark.integration

CANARY = "mauve-pelican"
QUESTIONS = 90
NAMES = UUID("5b1a0000-0000-4000-8000-000000000001")
EAST = (1.0, 0.0, 0.0, 0.0)
SPOKEN = once(EVENTS, delta_event("It is right. [1]", finish="stop"), DONE)


def is_restricted(number: int) -> bool:
    return number % 2 == 0


def facts() -> PartitionFacts:
    """Staff corrected what they were answered from documents that only they may read."""
    known = many_answers(QUESTIONS)
    interactions, feedback = list(known.interactions), list(known.feedback)
    for number in filter(is_restricted, range(QUESTIONS)):
        one = interactions[number]
        shown = tuple(replace(each, acl=("staff",)) for each in one.shown)
        interactions[number] = replace(one, shown=shown, acl=("staff",))
        actor = feedback[number].actor
        word = f"It is right{number}: {CANARY}."
        feedback[number] = a_correction(interactions[number], word, offset=number, actor=actor)
    return PartitionFacts(interactions, feedback)


@dataclass
class Room:
    """Answers as they are wired, over a real index; what is recorded stays in memory."""

    steps: Steps
    writer: ElasticsearchIndex
    index: str
    examples: tuple[PromptExample, ...]
    sent: list[dict[str, object]]

    async def ask(self, question: str, *groups: str) -> InteractionCompleted:
        bus, releases = MemoryBus(service="generator"), built_in_releases()
        with use_context(RequestContext(tenant="acme", acl=groups)):
            await Answerer(self.steps, bus, releases).answer(Ask(question))
        [(_, event)] = bus.published
        assert isinstance(event, InteractionCompleted)
        return event


async def the_version(path: Path) -> Artifact:
    """By the recipe, with restricted documents allowed."""
    stage = Stage(path)
    await stage.begin(facts(), settings={"restricted": "true"})
    await stage.exported()
    exported = stage.folder.exported()
    return Artifact(
        version=exported.version,
        digest=exported.digest,
        uri=exported.uri,
        settings=exported.settings,
        registered_at=MORNING,
    )


@pytest.fixture
async def room(
    tmp_path: Path, elasticsearch_url: str, elasticsearch_login: tuple[str, str]
) -> AsyncIterator[Room]:
    version, index = await the_version(tmp_path), f"chunks-{uuid4()}"
    folders = ModelFolders(Store(f"file://{tmp_path}/store"), tmp_path / "cache")
    releases = built_in_releases()
    encoder = releases.live("acme", Roles.DOCUMENT_ENCODER)
    assert encoder.index == CHUNK_INDEX
    encoder = encoder.model_copy(update={"index": index})
    for role, live in ((Roles.DOCUMENT_ENCODER, encoder), (Roles.ANSWER_PROMPT, version)):
        releases.apply(a_release(role, live=live.version, artifacts=(live,), generation=9))
    async with (
        open_elasticsearch(elasticsearch_url, elasticsearch_login) as client,
        ExampleSets(folders) as sets,
        model_server(SPOKEN) as server,
        chat_client(server.url) as chat,
    ):
        writer = ElasticsearchIndex(client, shards=1, refresh_interval="-1")
        await writer.prepare(index, len(EAST))
        passages = [
            EncodedChunk(a_passage(number), np.array(EAST, np.float32))
            for number in range(QUESTIONS)
        ]
        await writer.write(index, passages, {})
        search = ElasticsearchSearch(client, seconds=10)
        retriever = Retriever(search, FixedEncoder(EAST), releases, Random(1))
        async with serve([RetrieverRpc(retriever)]) as rpc, channel(f"127.0.0.1:{rpc.port}") as to:
            stub = RetrieverServiceStub(to)
            retrieve = partial(call, stub.Retrieve, timeout=10)
            readable = partial(call, stub.ReadableDocuments, timeout=10)
            model = PromptedModel(chat, Prompts())
            steps = steps_of(retrieve, releases, model, examples=sets, readable=readable)
            examples = read_examples(tmp_path / "run" / "candidate" / EXAMPLES_FILE)
            yield Room(steps, writer, index, examples, server.requests)
        await client.indices.delete(index=index)


def a_passage(number: int) -> IndexedChunk:
    return IndexedChunk(
        tenant="acme",
        document_id=f"doc-{number}",
        chunk_id=uuid5(NAMES, str(number)),
        revision=1,
        ordinal=0,
        text=text_of(number),
        start=0,
        end=len(text_of(number)),
        acl=("staff",) if is_restricted(number) else (),
    )


async def test_an_outsider_who_asks_for_the_canary_gets_a_prompt_without_it(room: Room) -> None:
    restricted = [each for each in room.examples if CANARY in each.answer]
    assert restricted
    assert all(each.groups == ("staff",) for each in restricted)
    [open_to_all, *_] = [each for each in room.examples if not each.groups]
    for example in restricted[:5]:
        question = f"{example.question} {CANARY} {open_to_all.question}"
        outsider = await room.ask(question)
        assert outsider.fallbacks == ()
        assert f"{CANARY}." not in outsider.prompt, "the question names it, the examples may not"
        assert open_to_all.answer in outsider.prompt
        assert all(not document.acl for document in outsider.example_documents)
        assert f"{CANARY}." not in json.dumps(room.sent)

    insider = await room.ask(restricted[0].question, "staff")
    assert restricted[0].answer in insider.prompt
    [document] = restricted[0].documents
    assert (document, ("staff",)) in {(e.document_id, e.acl) for e in insider.example_documents}


async def test_with_its_document_an_example_goes_for_everybody(room: Room) -> None:
    example = next(each for each in room.examples if CANARY in each.answer)
    assert example.answer in (await room.ask(example.question, "staff")).prompt

    [document] = example.documents
    number = document.removeprefix("doc-")
    await room.writer.write(room.index, [], {uuid5(NAMES, number): 2})
    assert example.answer not in (await room.ask(example.question, "staff")).prompt
