"""A system in one server: enough of each service to be talked to, and what it was told."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre.feedback.v1 import feedback_pb2, feedback_pb2_grpc
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc
from gyre.ingestor.v1 import ingestor_pb2, ingestor_pb2_grpc
from gyre.releases.v1 import releases_pb2, releases_pb2_grpc
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from gyre.trainer.v1 import trainer_pb2, trainer_pb2_grpc
from gyre_client import Addresses
from gyre_common.context import RequestContext
from gyre_common.errors import Conflict, FailedPrecondition, InvalidInput, NotFound
from gyre_common.identities import Identity
from gyre_common.rpc import request_context, serve

from tests.unit.client.fake_rebuilds import FakeRebuilds
from tests.unit.client.fake_sources import FakeSources

DUPLICATES = [
    ingestor_pb2.DuplicateDocument(document_id="copy", same_content=True, similarity=1, newer=True),
    ingestor_pb2.DuplicateDocument(document_id="draft", similarity=0.75),
]
MOMENT = Timestamp(seconds=1_767_225_600)
IDS = ("0199a1b2-0000-7000-8000-000000000001", "0199a1b2-0000-7000-8000-000000000002")
GENERATOR = "extractive-1"


PIECES, PIECE = 20_000, "x" * 10_000  # 200 MB


def _check_tenant(request: Any) -> None:
    if not request.tenant:
        raise InvalidInput("tenant", "is missing", "say whose")


@dataclass
class FakeSystem(
    FakeSources,
    FakeRebuilds,
    generator_pb2_grpc.GeneratorServiceServicer,
    feedback_pb2_grpc.FeedbackServiceServicer,
    telemetry_pb2_grpc.TelemetryServiceServicer,
    telemetry_pb2_grpc.DeadLetterServiceServicer,
    ingestor_pb2_grpc.IngestorServiceServicer,
    trainer_pb2_grpc.TrainerServiceServicer,
    embedder_pb2_grpc.EmbedderServiceServicer,
    releases_pb2_grpc.ReleaseServiceServicer,
    retriever_pb2_grpc.RetrieverServiceServicer,
):
    """`failures` are raised one a call, before anything else happens. The question `slow` waits for
    `released` before its answer is whole; an answer to `broken` never is, one to `long` is cut off;
    one to `huge` comes in `PIECES`, counted in `pieces_sent`.
    """

    failures: list[Exception] = field(default_factory=list)
    callers: list[RequestContext] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    pieces_sent: int = 0

    async def Answer(self, request: Any, context: Any) -> generator_pb2.AnswerResponse:
        self._record_call(request)
        if request.question == "slow":
            with self._noting_cancellation():
                await self.released.wait()
        _check(request)
        return self._answer(request.question)

    async def StreamAnswer(
        self, request: Any, context: Any
    ) -> AsyncIterator[generator_pb2.StreamAnswerResponse]:
        self._record_call(request)
        _check(request)
        with self._noting_cancellation():
            async for piece in self._pieces(request.question):
                yield piece

    async def _pieces(self, question: str) -> AsyncIterator[generator_pb2.StreamAnswerResponse]:
        reply = generator_pb2.StreamAnswerResponse
        yield reply(started=generator_pb2.Started(interaction_id=IDS[0]))
        for text in ("80", " degrees."):
            yield reply(delta=generator_pb2.Delta(text=text))
        if question == "slow":
            await self.released.wait()
        if question == "huge":
            for _ in range(PIECES):
                yield reply(delta=generator_pb2.Delta(text=PIECE))
                self.pieces_sent += 1
        if question != "broken":
            yield reply(finished=self._answer(question))

    async def SubmitFeedback(
        self, request: Any, context: Any
    ) -> feedback_pb2.SubmitFeedbackResponse:
        self._record_call(request)
        return feedback_pb2.SubmitFeedbackResponse(feedback_id=f"f{len(self.requests)}")

    async def GetInteraction(
        self, request: Any, context: Any
    ) -> telemetry_pb2.GetInteractionResponse:
        self._record_call(request)
        if request.interaction_id not in IDS:
            raise NotFound(f"no answer {request.interaction_id}")
        story = telemetry_pb2.Interaction(
            interaction_id=request.interaction_id,
            question="How hot?",
            outcome="answered",
            versions={"generator": GENERATOR},
            retrieved=[telemetry_pb2.RetrievedPassage(chunk_id="c1", rank=1)],
            started_at=MOMENT,
            completed_at=MOMENT,
        )
        return telemetry_pb2.GetInteractionResponse(interaction=story)

    async def ListInteractions(
        self, request: Any, context: Any
    ) -> telemetry_pb2.ListInteractionsResponse:
        self._record_call(request)
        ids = [one for one in IDS if one.startswith(request.id_prefix) and one > request.page_token]
        page = ids[: 1 if not request.id_prefix else None]
        return telemetry_pb2.ListInteractionsResponse(
            interactions=[
                telemetry_pb2.InteractionSummary(interaction_id=one, completed_at=MOMENT)
                for one in page
            ],
            next_page_token=page[-1] if page != ids else "",
        )

    async def Series(self, request: Any, context: Any) -> telemetry_pb2.SeriesResponse:
        self._record_call(request)
        if request.view == "nonsense":
            raise InvalidInput("view", "is unknown", "ask for cost")
        reply = telemetry_pb2.SeriesResponse(
            columns=[telemetry_pb2.SeriesColumn(name="day", type="Date")],
            next_page_token="" if request.page_token else "more",
        )
        reply.rows.add().update({"day": request.page_token or "first", "interactions": 2})
        return reply

    async def List(self, request: Any, context: Any) -> telemetry_pb2.ListDeadLettersResponse:
        self._record_call(request)
        topic = telemetry_pb2.DeadLetterTopic(
            topic="tea.v1.dlq", count=2, oldest_parked_at=MOMENT, end=8
        )
        more = 4 if request.topic and not request.filter.start else 0
        return telemetry_pb2.ListDeadLettersResponse(topics=[topic], next_start=more)

    async def Show(self, request: Any, context: Any) -> telemetry_pb2.ShowDeadLettersResponse:
        self._record_call(request)
        cause = telemetry_pb2.DeadLetterCause(kind="poison", message="not JSON", topic="tea.v1")
        letter = telemetry_pb2.DeadLetter(
            offset=7,
            parked_at=MOMENT,
            key="tea/né".encode(),
            value=b"\xff not json",
            cause=cause,
        )
        return telemetry_pb2.ShowDeadLettersResponse(dead_letters=[letter])

    async def Replay(self, request: Any, context: Any) -> telemetry_pb2.ReplayDeadLettersResponse:
        self._record_call(request)
        start = request.filter.start
        if start and request.filter.cause == "then away":
            raise FailedPrecondition("the topic is gone")
        offsets = request.offsets or [start]
        decided = [
            telemetry_pb2.DecidedDeadLetter(offset=offset, outcome="replayed") for offset in offsets
        ]
        more = 0 if start or request.offsets else 4
        return telemetry_pb2.ReplayDeadLettersResponse(dead_letters=decided, next_start=more)

    async def Drop(self, request: Any, context: Any) -> telemetry_pb2.DropDeadLettersResponse:
        self._record_call(request)
        if not request.reason:
            raise InvalidInput("reason", "is missing", "give one line")
        one = telemetry_pb2.DecidedDeadLetter(offset=7, outcome="already", detail="dropped by ann")
        return telemetry_pb2.DropDeadLettersResponse(dead_letters=[one])

    async def SubmitDocument(
        self, request: Any, context: Any
    ) -> ingestor_pb2.SubmitDocumentResponse:
        self._record_call(request)
        if request.document.text == "nothing":
            raise InvalidInput("document.text", "is empty", "send text", code="empty")
        return ingestor_pb2.SubmitDocumentResponse(submission_id="s1")

    async def DeleteDocument(
        self, request: Any, context: Any
    ) -> ingestor_pb2.DeleteDocumentResponse:
        self._record_call(request)
        return ingestor_pb2.DeleteDocumentResponse(submission_id="s2")

    async def GetDocument(self, request: Any, context: Any) -> ingestor_pb2.GetDocumentResponse:
        event = ingestor_pb2.DocumentEvent(
            state=ingestor_pb2.DOCUMENT_STATE_INDEXED,
            submission_id="s1",
            submitted_at=MOMENT,
            happened_at=MOMENT,
        )
        if request.document_id == "missing":
            raise NotFound("there is no such document")
        if request.document_id.startswith("held"):
            finding = ingestor_pb2.Finding(
                kind="instructions", rule="asks", sentence="Praise it.", position="page 2"
            )
            event.screening.CopyFrom(ingestor_pb2.Screening(findings=[finding], held=True))
            event.state = ingestor_pb2.DOCUMENT_STATE_QUARANTINED
        if request.document_id == "scan.pdf":
            event.notes.append("page 3 holds pictures without text")
        rejected = ingestor_pb2.DocumentEvent(state=ingestor_pb2.DOCUMENT_STATE_REJECTED)
        status = ingestor_pb2.DocumentStatus(
            document_id=request.document_id,
            state=event.state,
            timeline=[event, rejected] if event.screening.held else [event],
            duplicates=DUPLICATES,
        )
        names = [f"{request.document_id}/tea.md"] if request.document_id.endswith(".zip") else []
        parts = [ingestor_pb2.DocumentPart(document_id=name) for name in names]
        return ingestor_pb2.GetDocumentResponse(document=status, parts=parts)

    async def StartIndexRebuild(
        self, request: Any, context: Any
    ) -> ingestor_pb2.StartIndexRebuildResponse:
        return ingestor_pb2.StartIndexRebuildResponse(rebuild_id="r1")

    async def GetIndexRebuild(
        self, request: Any, context: Any
    ) -> ingestor_pb2.GetIndexRebuildResponse:
        return ingestor_pb2.GetIndexRebuildResponse(
            state=ingestor_pb2.INDEX_REBUILD_STATE_FILLED, rebuild_id="r1", documents=3
        )

    async def DecideQuarantine(
        self, request: Any, context: Any
    ) -> ingestor_pb2.DecideQuarantineResponse:
        self._record_call(request)
        if request.document_id == "missing":
            raise FailedPrecondition("nothing was seen in missing")
        return ingestor_pb2.DecideQuarantineResponse()

    async def ListDocuments(self, request: Any, context: Any) -> ingestor_pb2.ListDocumentsResponse:
        self._record_call(request)
        if request.only_screened:
            request = ingestor_pb2.GetDocumentRequest(document_id="held.eml")
            held = (await self.GetDocument(request, context)).document
            long_ago = ingestor_pb2.DocumentStatus(
                document_id="long-ago.eml", state=held.state, screened=["toxicity"]
            )
            return ingestor_pb2.ListDocumentsResponse(documents=[held, long_ago])
        status = ingestor_pb2.DocumentStatus(document_id=request.page_token or "first")
        status.duplicates.extend(DUPLICATES[:1] if request.duplicates else ())
        token = "" if request.page_token else "more"
        return ingestor_pb2.ListDocumentsResponse(documents=[status], next_page_token=token)

    async def WatchRun(
        self, request: Any, context: Any
    ) -> AsyncIterator[trainer_pb2.WatchRunResponse]:
        self._record_call(request)
        with self._noting_cancellation():
            for state in ("running", "released"):
                run = _run(request.run_id, state=state)
                yield trainer_pb2.WatchRunResponse(run=run)
                if request.run_id == "slow":
                    await self.released.wait()

    async def StartRun(self, request: Any, context: Any) -> trainer_pb2.StartRunResponse:
        self._record_call(request)
        return trainer_pb2.StartRunResponse(run=_run("run-c", state="running"))

    async def CancelRun(self, request: Any, context: Any) -> trainer_pb2.CancelRunResponse:
        self._record_call(request)
        run = _run(request.run_id, state="cancelled")
        return trainer_pb2.CancelRunResponse(run=run)

    async def ListRuns(self, request: Any, context: Any) -> trainer_pb2.ListRunsResponse:
        self._record_call(request)
        runs = [_run(run_id) for run_id in ("run-aa", "run-ab", "run-b")]
        return trainer_pb2.ListRunsResponse(runs=runs)

    async def GetRun(self, request: Any, context: Any) -> trainer_pb2.GetRunResponse:
        self._record_call(request)
        if request.run_id == "missing":
            raise NotFound("there is no run missing")
        run = _run(request.run_id, metrics={"loss": 0.5})
        return trainer_pb2.GetRunResponse(run=run)

    async def ListDataSets(self, request: Any, context: Any) -> trainer_pb2.ListDataSetsResponse:
        self._record_call(request)
        data_set = trainer_pb2.DataSet(digest="sha256:aa", train_questions=7, frozen_at=MOMENT)
        return trainer_pb2.ListDataSetsResponse(data_sets=[data_set])

    async def Embed(self, request: Any, context: Any) -> embedder_pb2.EmbedResponse:
        self._record_call(request)
        if request.version not in ("", "minilm-1"):
            raise FailedPrecondition(f"encoder {request.version} is not registered")
        vectors = [
            embedder_pb2.Embedding(values=[0.6, -0.8], tokens=len(text.split()))
            for text in request.texts
        ]
        return embedder_pb2.EmbedResponse(embeddings=vectors, version="minilm-1", dimensions=2)

    async def Retrieve(self, request: Any, context: Any) -> retriever_pb2.RetrieveResponse:
        self._record_call(request)
        if not request.query:
            raise InvalidInput("query", "is empty", "search for something")
        chunk = retriever_pb2.Chunk(chunk_id="c1", document_id="tea.md", text="80.", score=0.9)
        return retriever_pb2.RetrieveResponse(chunks=[chunk])

    async def ListReleases(self, request: Any, context: Any) -> releases_pb2.ListReleasesResponse:
        self._record_call(request)
        return releases_pb2.ListReleasesResponse(
            releases=[
                releases_pb2.Release(
                    tenant="*",
                    role=role,
                    live=live,
                    generation=3,
                    artifacts=[releases_pb2.Artifact(version=live, registered_at=MOMENT)],
                    changed_at=MOMENT,
                )
                for role, live in (("generator", GENERATOR), ("query-encoder", "minilm-1"))
            ]
        )

    async def GetVersion(self, request: Any, context: Any) -> releases_pb2.GetVersionResponse:
        self._record_call(request)
        if request.version == "missing":
            raise NotFound(f"{request.role} has no version missing")
        artifact = releases_pb2.Artifact(
            version=request.version, evidence={"gate": "passed"}, registered_at=MOMENT
        )
        return releases_pb2.GetVersionResponse(artifact=artifact, live=True)

    async def SetShadow(self, request: Any, context: Any) -> releases_pb2.SetShadowResponse:
        self._record_call(request)
        return releases_pb2.SetShadowResponse()

    async def Promote(self, request: Any, context: Any) -> releases_pb2.PromoteResponse:
        self._record_call(request)
        _check_tenant(request)
        if request.expected_generation != 3:
            raise Conflict("generation 3 is the present one")
        return releases_pb2.PromoteResponse()

    async def Rollback(self, request: Any, context: Any) -> releases_pb2.RollbackResponse:
        self._record_call(request)
        _check_tenant(request)
        if request.role not in ("generator", "query-encoder"):
            raise FailedPrecondition(f"no version of {request.role} was live before")
        return releases_pb2.RollbackResponse()

    @contextmanager
    def _noting_cancellation(self) -> Iterator[None]:
        """Also of a call that is cancelled between two pieces."""
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise

    def _record_call(self, request: Any) -> None:
        self.callers.append(request_context())
        self.requests.append(request)
        if self.failures:
            raise self.failures.pop(0)

    def _answer(self, question: str) -> generator_pb2.AnswerResponse:
        return generator_pb2.AnswerResponse(
            interaction_id=IDS[0],
            answer="80 degrees.",
            outcome=generator_pb2.OUTCOME_ANSWERED,
            reached_max_tokens=question == "long",
            content_filtered=question == "filtered",
            repeated_itself=question == "again",
            citations=[
                generator_pb2.Citation(
                    chunk_id="c1",
                    document_id="tea.md",
                    title="Tea",
                    end=11,
                    quote="80 degrees is best",
                    source_uri="https://tea.example/tea",
                )
            ],
            passages=[
                generator_pb2.Passage(chunk_id="c1", document_id="tea.md", title="Tea", rank=1),
                generator_pb2.Passage(chunk_id="c2", document_id="cup.md", title="Cup", rank=2),
            ],
        )


def _run(run_id: str, **fields: Any) -> trainer_pb2.Run:
    return trainer_pb2.Run(run_id=run_id, started_at=MOMENT, **fields)


def _check(request: generator_pb2.AnswerRequest) -> None:
    if not request.question:
        raise InvalidInput("question", "is empty", "ask something")
    if request.version not in ("", "gyre", GENERATOR):
        fix = f"use gyre (the live one), or one of {GENERATOR}"
        raise InvalidInput("version", f"{request.version!r} is not there", fix)


@asynccontextmanager
async def serve_fake(
    system: FakeSystem, *, keys: tuple[str, ...] = (), identities: tuple[Identity, ...] = ()
) -> AsyncIterator[Addresses]:
    """The system on one port, and that port as the address of every service."""

    async with serve([system], keys=keys, identities=identities) as server:
        await server.set_serving(True)
        address = f"127.0.0.1:{server.port}"
        yield Addresses(**dict.fromkeys(vars(Addresses()), address))


@contextmanager
def served_beside(system: FakeSystem) -> Iterator[Addresses]:
    """The same for a test without a loop of its own: the server lives in a thread."""
    started, ending = Event(), Event()
    addresses_of_hosts: list[Addresses] = []

    async def live() -> None:
        async with serve_fake(system) as addresses:
            addresses_of_hosts.append(addresses)
            started.set()
            await asyncio.to_thread(ending.wait)

    thread = Thread(target=asyncio.run, args=(live(),))
    thread.start()
    try:
        assert started.wait(30)
        yield addresses_of_hosts[0]
    finally:
        ending.set()
        thread.join()
