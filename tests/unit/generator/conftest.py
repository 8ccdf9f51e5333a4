"""Passages, releases and a retriever in memory for the generator's tests."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest
from gyre.judge.v1.judge_pb2 import JudgeRequest, JudgeResponse
from gyre.retriever.v1.retriever_pb2 import (
    AccessGroups,
    Chunk,
    ReadableDocument,
    ReadableDocumentsRequest,
    ReadableDocumentsResponse,
    RetrieveRequest,
    RetrieveResponse,
)
from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.model_folders import ModelFolders
from gyre_common.releases import ReleaseView
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.store import Store
from gyre_generator.app import build_chain
from gyre_generator.backends import Backend
from gyre_generator.backends.extractive import ExtractiveReader
from gyre_generator.examples import ExampleSets
from gyre_generator.given_passages import GivenPassages
from gyre_generator.passages import RetrievedPassage
from gyre_generator.progress import Step, Steps
from gyre_generator.prompts import Prompts
from gyre_generator.rpc import GeneratorRpc
from gyre_generator.service import Answerer, SentenceCheck
from gyre_generator.steps.exemplify import Readable
from gyre_generator.steps.retrieve import Search
from gyre_generator.steps.route import EXTRACTIVE
from gyre_generator.version_trial import GeneratorTrial, VersionTrial

from tests.builders import MORNING, a_release
from tests.fakes.bus import MemoryBus

TEA = (
    "Green tea is made from leaves that were not fermented. "
    "Water for green tea should be about 80 degrees Celsius, because boiling water makes it bitter."
    " Steep it for two minutes."
)
COFFEE = "Coffee is a drink made from roasted beans. It was first drunk in Yemen in 1450."


def a_passage(
    text: str = TEA, *, rank: int = 1, document: str = "tea.md", **changes: object
) -> RetrievedPassage:
    fields = {"title": "", "score": 1 / rank, **changes}
    return RetrievedPassage(
        chunk_id=uuid5(NAMESPACE_URL, repr((document, text))),
        document_id=document,
        text=text,
        rank=rank,
        **fields,
    )


class FakeRetriever:
    """Gives the same passages to every query, and remembers how it was asked."""

    def __init__(self, passages: Sequence[RetrievedPassage] = ()) -> None:
        self.passages = passages
        self.queries: list[str] = []
        self.versions: list[dict[str, str]] = []
        self.explored: list[bool] = []
        self.error: Exception | None = None
        self.lacks: str | None = None
        self.acls: dict[str, tuple[str, ...]] = {}
        self.looked_up: list[ReadableDocumentsRequest] = []

    async def search(self, request: RetrieveRequest) -> RetrieveResponse:
        self.queries.append(request.query)
        self.explored.append(request.explore)
        self.versions.append(dict(request_context().versions))
        if self.error:
            raise self.error
        if self.lacks in request_context().versions.values():
            raise FailedPrecondition(f"no version {self.lacks} here (yet)")
        return RetrieveResponse(
            chunks=[a_chunk(passage) for passage in self.passages[: request.limit]],
            latency_ms={"encode": 3.0, "search": 7.0},
            versions={Roles.RETRIEVAL: "hybrid-1"},
        )

    async def readable(self, request: ReadableDocumentsRequest) -> ReadableDocumentsResponse:
        """Of `acls`, the groups of every document that there is."""
        self.looked_up.append(request)
        if self.error:
            raise self.error
        return ReadableDocumentsResponse(
            documents=[
                ReadableDocument(document_id=each, acl=AccessGroups(groups=self.acls[each]))
                for each in request.document_ids
                if each in self.acls and request_context().may_read(self.acls[each])
            ]
        )


def a_chunk(passage: RetrievedPassage) -> Chunk:
    acl = None if passage.acl is None else AccessGroups(groups=passage.acl)
    fields = passage.model_dump(exclude={"chunk_id", "acl", "rank", "used"})
    return Chunk(chunk_id=str(passage.chunk_id), acl=acl, **fields)


def built_in_releases() -> ReleaseView:
    view = ReleaseView()
    for role, artifact in built_in_artifacts(MORNING).items():
        view.apply(a_release(role, live=artifact.version, artifacts=(artifact,)))
    return view


MakeAnswerer = Callable[..., Answerer]


async def no_judge(_: JudgeRequest) -> JudgeResponse:
    raise AssertionError("no version here has a judge choose")


async def no_examples(_: ReadableDocumentsRequest) -> ReadableDocumentsResponse:
    raise AssertionError("no version here has examples")


def rpc_of(answerer: Answerer, steps: Steps, releases: ReleaseView) -> GeneratorRpc:
    """The edge as the service is wired; no version but the extractive one can be tried."""
    given = GivenPassages(steps, Prompts(), releases)
    trials: dict[str, VersionTrial] = {
        Roles.GENERATOR: GeneratorTrial([EXTRACTIVE], releases, None, no_judge)
    }
    return GeneratorRpc(answerer, trials, given)


def steps_of(
    search: Search,
    releases: ReleaseView,
    backend: Backend | None = None,
    *,
    passages: int = 10,
    examples: ExampleSets | None = None,
    readable: Readable = no_examples,
) -> Steps:
    """The way of an answer as the service is wired, over fakes."""
    return build_chain(
        {EXTRACTIVE: backend or ExtractiveReader()},
        releases,
        search=search,
        readable=readable,
        examples=examples or ExampleSets(ModelFolders(Store("file:///nowhere"), Path("/nowhere"))),
        passages=passages,
        context_tokens=3_000,
    )


@pytest.fixture
def passage() -> Callable[..., RetrievedPassage]:
    return a_passage


@pytest.fixture
def releases() -> ReleaseView:
    return built_in_releases()


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(service="generator")


@pytest.fixture
def retriever() -> FakeRetriever:
    return FakeRetriever([a_passage(), a_passage(COFFEE, rank=2, document="coffee.md")])


@pytest.fixture
def make_answerer(bus: MemoryBus, retriever: FakeRetriever, releases: ReleaseView) -> MakeAnswerer:
    def make(
        backend: Backend | None = None,
        *,
        passages: int = 10,
        before_pack: Mapping[str, Step] | None = None,
        checks: Sequence[SentenceCheck] = (),
    ) -> Answerer:
        steps: dict[str, Step] = {}
        for name, step in steps_of(retriever.search, releases, backend, passages=passages).items():
            steps |= {**((before_pack or {}) if name == "pack" else {}), name: step}
        return Answerer(steps, bus, releases, checks)

    return make
