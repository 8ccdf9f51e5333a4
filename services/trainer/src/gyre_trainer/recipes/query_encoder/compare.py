"""Verb `compare`: asks live and the candidate the held-out questions, and writes the verdict."""

from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre_common.context import RequestContext, use_context
from gyre_common.events.event import DEFAULT_TENANT, EVERY_TENANT
from gyre_common.rpc import call, channel
from gyre_common.store import Store

from gyre_trainer.data_sets.frozen import GATE, TRAIN
from gyre_trainer.recipes.query_encoder.gate import ComparisonQuestions, measure
from gyre_trainer.recipes.query_encoder.inputs import QueryEncoderFiles, RunData
from gyre_trainer.recipes.query_encoder.live_search import Asker, ask_live
from gyre_trainer.recipes.query_encoder.ranking import gate_questions
from gyre_trainer.recipes.query_encoder.report import MARK, GateReport, as_markdown, verdict_of
from gyre_trainer.runs.failures import NOT_YET, STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder, RunSpec, write_json
from gyre_trainer.runs.verbs import COMPARE
from gyre_trainer.settings import TrainerSettings

_LOAD_SECONDS = 120.0


async def compare(folder: RunFolder, settings: TrainerSettings) -> None:
    """The verdict is written last. Raises FailedPrecondition: the candidate cannot be served, or
    the data set was changed; Retryable: a service or the store is away; OrderDiffers as `measure`
    does.
    """
    spec, files = folder.spec(), QueryEncoderFiles(folder)
    questions = _questions(RunData(folder))
    folder.progress(COMPARE, message="waiting until the embedder serves the candidate")
    await _until_served(spec, settings)
    all_questions = [*questions.validation, *questions.held_out]
    askers = {one.question_id: Asker(one.tenant, one.acl, one.text) for one in all_questions}
    message = "asking live the held-out questions"
    live = await ask_live(folder, settings, askers, stage=COMPARE, message=message)
    message = "asking the candidate the held-out questions"
    candidate = await ask_live(
        folder, settings, askers, stage=COMPARE, message=message, candidate=True
    )
    folder.progress(COMPARE, message="measuring")
    data_set = folder.prepared().data_set
    report = measure(spec, data_set, questions, live=live, candidate=candidate)
    card = await keep_card(folder, report, settings)
    write_json(files.report, report.model_copy(update={"card": card}))
    content, store = files.report.read_bytes(), Store(settings.store_url)
    stored_report = await retry_while_away(lambda: store.put(content), seconds=STORE_SECONDS)
    write_json(folder.verdict_file, verdict_of(spec, report, stored_report))


def _questions(data: RunData) -> ComparisonQuestions:
    judged = {int(rank): one["p"] for rank, one in data.data_set_card["judged_by_rank"].items()}
    present = frozenset(passage.chunk_id for passage in data.passages)
    validation = [row for row in data.rows(TRAIN) if row.part == "validation"]
    gate = data.rows(GATE)
    held_out = gate_questions(gate, judged, present)
    return ComparisonQuestions(
        validation=gate_questions(validation, judged, present),
        held_out=held_out,
        left_out=len(gate) - len(held_out),
    )


async def _until_served(spec: RunSpec, settings: TrainerSettings) -> None:
    request = embedder_pb2.EmbedRequest(
        texts=["Is the candidate there?"], version=spec.version, side=embedder_pb2.SIDE_QUERY
    )
    tenant = DEFAULT_TENANT if spec.tenant == EVERY_TENANT else spec.tenant
    with use_context(RequestContext(tenant=tenant)):
        await _embedded(request, settings)


async def _embedded(request: embedder_pb2.EmbedRequest, settings: TrainerSettings) -> None:
    async with channel(settings.embedder_address, key=settings.key) as opened:
        embed = embedder_pb2_grpc.EmbedderServiceStub(opened).Embed
        await retry_while_away(
            lambda: call(embed, request, timeout=20.0), seconds=_LOAD_SECONDS, over=NOT_YET
        )


async def keep_card(folder: RunFolder, report: GateReport, settings: TrainerSettings) -> str:
    """The model card, complete, in the store; the artifact's own copy was written before."""
    card = (folder.candidate / "README.md").read_text(encoding="utf-8")
    complete = card.replace(MARK, as_markdown(report))
    QueryEncoderFiles(folder).card.write_text(complete, encoding="utf-8")
    store = Store(settings.store_url)
    return (await retry_while_away(lambda: store.put(complete.encode()), seconds=STORE_SECONDS)).uri
