"""Verb `compare`: asks live and the candidate the held-out questions, and writes the verdict."""

import json
from contextlib import AsyncExitStack

from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre.retriever.v1 import retriever_pb2_grpc
from gyre_common.events.releases import Roles
from gyre_common.rpc import call, channel
from gyre_common.store import Shelf, Store

from gyre_trainer import data_sets
from gyre_trainer.data_sets.resolving import question_texts
from gyre_trainer.recipes.query_encoder.comparison.measuring import (
    ComparisonQuestions,
    RetrievedLegs,
    measure,
)
from gyre_trainer.recipes.query_encoder.comparison.questions import gate_questions
from gyre_trainer.recipes.query_encoder.comparison.report import MARK, GateReport, as_markdown
from gyre_trainer.recipes.query_encoder.comparison.verdict import verdict_of
from gyre_trainer.recipes.query_encoder.files import QueryEncoderFiles
from gyre_trainer.recipes.query_encoder.live_search import (
    Asker,
    LiveSearch,
    OnProgress,
    Retrieve,
    live_versions,
)
from gyre_trainer.recipes.query_encoder.rows import remaining_questions
from gyre_trainer.runs.failures import NOT_YET, STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder, RunSpec, write_json
from gyre_trainer.runs.verbs import COMPARE
from gyre_trainer.segments import FOLDER as SEGMENTS
from gyre_trainer.segments import Segments
from gyre_trainer.settings import TrainerSettings

_LOAD_SECONDS = 120.0
_TELL_EVERY = 10


async def compare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Keep the report and the model card with the report in it in the store, then write the
    verdict.

    Raises:
        FailedPrecondition: the candidate cannot be served, or the data set was changed.
        Retryable: a service or the store is away.
        OrderDiffers: the retriever fuses in another way than is done here.
    """
    spec = folder.spec()
    questions = await _questions(folder, settings)
    async with AsyncExitStack() as stack:
        embedder = await stack.enter_async_context(
            channel(settings.embedder_address, key=settings.key)
        )
        retriever = await stack.enter_async_context(
            channel(settings.retriever_address, key=settings.key)
        )
        folder.progress(COMPARE, message="waiting until the embedder serves the candidate")
        await _until_served(embedder_pb2_grpc.EmbedderServiceStub(embedder), spec.version)
        retrieve = retriever_pb2_grpc.RetrieverServiceStub(retriever).Retrieve
        legs = await _ask(folder, spec, retrieve, questions)
    folder.progress(COMPARE, message="measuring")
    report = measure(spec, folder.prepared().data_set, questions, legs)
    card = await keep_card(folder, report, settings)
    files = QueryEncoderFiles(folder)
    write_json(files.report, report.model_copy(update={"card": card}))
    content, store = files.report.read_bytes(), Store(settings.store_url)
    stored_report = await retry_while_away(lambda: store.put(content), seconds=STORE_SECONDS)
    write_json(folder.verdict_file, verdict_of(spec, report, stored_report))


async def _until_served(stub: embedder_pb2_grpc.EmbedderServiceStub, version: str) -> None:
    request = embedder_pb2.EmbedRequest(
        texts=["Is the candidate there?"], version=version, side=embedder_pb2.SIDE_QUERY
    )
    await retry_while_away(
        lambda: call(stub.Embed, request, timeout=20.0), seconds=_LOAD_SECONDS, over=NOT_YET
    )


async def _questions(folder: RunFolder, settings: TrainerSettings) -> ComparisonQuestions:
    frozen = data_sets.read_folder(folder.data_set, folder.prepared().data_set)
    segments = Segments(Shelf(settings.store_url, SEGMENTS))
    texts = await retry_while_away(lambda: question_texts(frozen, segments), seconds=STORE_SECONDS)
    judged = {int(rank): one["p"] for rank, one in frozen.card["judged_by_rank"].items()}
    chunk_ids = _chunk_ids(folder)
    train = remaining_questions(frozen, data_sets.TRAIN, chunk_ids, texts).rows
    gate_side = remaining_questions(frozen, data_sets.GATE, chunk_ids, texts)
    held_out = gate_questions(gate_side.rows, judged)
    return ComparisonQuestions(
        validation=gate_questions((row for row in train if row.part == "validation"), judged),
        held_out=held_out,
        left_out=gate_side.before - len(held_out),
    )


def _chunk_ids(folder: RunFolder) -> frozenset[str]:
    """Of the passages in the run's snapshot."""
    with QueryEncoderFiles(folder).corpus_rows.open(encoding="utf-8") as file:
        return frozenset(json.loads(line)["chunk_id"] for line in file)


async def _ask(
    folder: RunFolder, spec: RunSpec, retrieve: Retrieve, questions: ComparisonQuestions
) -> RetrievedLegs:
    askers = {one.question_id: Asker(one.tenant, one.acl, one.text) for one in questions.all}
    live = live_versions(spec)
    candidate = {**live, Roles.QUERY_ENCODER.value: spec.version}

    def progress_of(side: str) -> OnProgress:
        def on_progress(done: int, of: int) -> None:
            if done % _TELL_EVERY == 0 or done == of:
                folder.progress(COMPARE, done, of, message=f"asking {side} the held-out questions")

        return on_progress

    return RetrievedLegs(
        live=await LiveSearch(retrieve, live).legs(askers, progress_of("live")),
        candidate=await LiveSearch(retrieve, candidate).legs(askers, progress_of("the candidate")),
    )


async def keep_card(folder: RunFolder, report: GateReport, settings: TrainerSettings) -> str:
    """The model card, complete, in the store; the artifact's own copy was written before."""
    card = (folder.candidate / "README.md").read_text(encoding="utf-8")
    complete = card.replace(MARK, as_markdown(report))
    QueryEncoderFiles(folder).card.write_text(complete, encoding="utf-8")
    store = Store(settings.store_url)
    return (await retry_while_away(lambda: store.put(complete.encode()), seconds=STORE_SECONDS)).uri
