"""The demonstration from the first document to the way back, stage by stage."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub
from gyre.trainer.v1 import trainer_pb2
from gyre.trainer.v1.trainer_pb2_grpc import TrainerServiceStub
from gyre_common.errors import GyreError, InvalidInput
from gyre_common.events.event import DEFAULT_TENANT
from gyre_common.rpc import call

from gyre_cli.command import Cli
from gyre_cli.demo.corpus import SEED, Corpus, Document, Question, Size, generate
from gyre_cli.demo.crowd import Crowd, Habits, Tally
from gyre_cli.demo.measures import Comparison, Rankings, alike, compare, rankings, slices
from gyre_cli.demo.releasing import ACTOR, Switch, explore, live_is, promote_again, roll_back
from gyre_cli.demo.stages import Bar, Stages
from gyre_cli.demo.system import System, cpu_seconds, opened
from gyre_cli.run_calls import RUNNING, begin, follow
from gyre_cli.run_view import RunProgress
from gyre_cli.submission import Draft, Progress, Submitter, watch_for_stall

PROFILE = "demo"
RECIPE = "query-encoder"
_TENANT = "demo"
_MOST_TENANTS = 1_000
_PATIENCE_SECONDS = 120.0
_GOODBYE_SECONDS = 5.0
_RELEASED = "released"


@dataclass
class Outcome:
    """What the demonstration found. Without a release the later parts stay empty."""

    tenant: str
    documents: int
    size: str
    tally: Tally = field(default_factory=Tally)
    run: trainer_pb2.Run = field(default_factory=trainer_pb2.Run)
    quality: Mapping[str, Comparison | None] = field(default_factory=dict)
    last_vote_to_live_seconds: float | None = None
    rollback: Switch | None = None
    back_as_before: int = 0
    measured: int = 0
    promotion: Switch | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    cpu_minutes: float | None = None

    @property
    def released(self) -> bool:
        """Whether the gate let the trained version live."""
        return bool(self.run.state == _RELEASED)


async def tell(cli: Cli, size: Size) -> Outcome:
    """All of it, in a tenant that holds nothing yet.

    Raises:
        InvalidInput: the tenant that was asked for has documents.
        GyreError: the system is not up, or stopped taking what it was given.
    """
    corpus = generate(size)
    stages = Stages(cli.out)
    tenant = await _free_tenant(cli)
    spent = cpu_seconds(cli.settings.home)
    async with opened(cli.settings, tenant) as system, _told_when_stopped(cli, tenant):
        outcome = Outcome(tenant, len(corpus.documents), size.name)
        await _submit(system, corpus.documents, stages)
        before = await _measure(system, corpus.untouched, stages, "measuring before")
        await explore(system)
        outcome.tally = await _crowd(system, corpus, size.passes, stages)
        outcome.run = await _train(cli, system, size, stages)
        if outcome.released:
            await _release(system, corpus, before, outcome, stages)
    outcome.seconds = stages.seconds
    now = cpu_seconds(cli.settings.home)
    if spent is not None and now is not None:
        outcome.cpu_minutes = (now - spent) / 60
    return outcome


@asynccontextmanager
async def _told_when_stopped(cli: Cli, tenant: str) -> AsyncIterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        cli.out.note(
            f"stopped, no training goes on; tenant {tenant} keeps what it holds, and the next "
            "`gyre demo` begins in another one"
        )
        raise


async def _free_tenant(cli: Cli) -> str:
    """Each demonstration begins from nothing: `demo`, then `demo-2` and so on."""
    asked_for = cli.settings.tenant
    if asked_for != DEFAULT_TENANT:
        async with opened(cli.settings, asked_for) as system:
            if await system.has_documents():
                raise InvalidInput(
                    "--tenant", f"{asked_for} has documents", "leave it out, or name an unused one"
                )
        return asked_for
    for number in range(1, _MOST_TENANTS):
        tenant = _TENANT if number == 1 else f"{_TENANT}-{number}"
        async with opened(cli.settings, tenant) as system:
            if not await system.has_documents():
                return tenant
    raise InvalidInput("--tenant", "is missing: all names for it are taken", "name an unused one")


async def _submit(system: System, documents: tuple[Document, ...], stages: Stages) -> None:
    with stages.stage("submitting documents", len(documents)) as bar:
        await submit(system.ingestor, documents, bar)


async def submit(ingestor: IngestorServiceStub, documents: tuple[Document, ...], bar: Bar) -> None:
    """Returns when all are searchable; raises GyreError when one is not, or nothing moves."""
    progress = Progress()
    drafts = [Draft(one.document_id, "text/markdown", "", (), one.text.encode) for one in documents]
    jobs = (
        asyncio.create_task(Submitter(ingestor, progress).submit(drafts, wait=True)),
        asyncio.create_task(watch_for_stall(progress, len(drafts), _PATIENCE_SECONDS)),
        asyncio.create_task(_shown(progress, bar)),
    )
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    rejected = [fate for fate in progress.finished if fate.outcome != "indexed"]
    if rejected:
        raise GyreError(
            f"{rejected[0].document_id} was {rejected[0].outcome}: {rejected[0].detail}"
        )


async def _shown(progress: Progress, bar: Bar) -> None:
    while True:
        bar.at(len(progress.finished))
        await asyncio.sleep(0.1)


async def _measure(
    system: System, questions: tuple[Question, ...], stages: Stages, name: str
) -> Rankings:
    with stages.stage(name, len(questions)) as bar:
        return await rankings(system.retriever, questions, bar.step)


async def _crowd(system: System, corpus: Corpus, passes: int, stages: Stages) -> Tally:
    crowd = Crowd(system.generator, system.feedback, habits=Habits(), seed=SEED)
    with stages.stage("the crowd asks and votes", passes * len(corpus.asked)) as bar:
        return await crowd.ask(corpus.asked, lambda tally: bar.at(tally.asked), passes=passes)


async def _train(cli: Cli, system: System, size: Size, stages: Stages) -> trainer_pb2.Run:
    request = trainer_pb2.StartRunRequest(
        recipe=RECIPE,
        profile=PROFILE,
        tenant=system.tenant,
        settings=size.training,
        actor=ACTOR,
        reason="gyre demo",
    )
    with stages.clock("training and gate"):
        try:
            run = await begin(cli, system.trainer, request)
            with RunProgress(cli.out) as progress:
                return await follow(system.trainer, run.run_id, progress.tell)
        except asyncio.CancelledError:
            await stop_training(system.trainer, system.tenant)
            raise


async def stop_training(trainer: TrainerServiceStub, tenant: str) -> None:
    """Whoever ends the demonstration does not want its training to go on in the background."""
    with suppress(GyreError):
        found = await call(trainer.ListRuns, trainer_pb2.ListRunsRequest())
        for run in found.runs:
            if run.state == RUNNING and run.tenant == tenant:  # not that of all tenants
                request = trainer_pb2.CancelRunRequest(run_id=run.run_id, actor=ACTOR)
                await call(trainer.CancelRun, request, timeout=_GOODBYE_SECONDS)


async def _release(
    system: System, corpus: Corpus, before: Rankings, outcome: Outcome, stages: Stages
) -> None:
    """The run ends once the release is safe in Kafka; what counts is when searches use it."""
    version = outcome.run.version
    await live_is(system, version)
    outcome.last_vote_to_live_seconds = time.monotonic() - outcome.tally.last_word_at
    after = await _measure(system, corpus.untouched, stages, "measuring after")
    outcome.quality = {
        name: compare(some, before, after)
        for name, some in slices(corpus.untouched, outcome.tally.liked).items()
    }
    outcome.rollback = await roll_back(system)
    back = await _measure(system, corpus.untouched, stages, "measuring after the rollback")
    outcome.measured = len(corpus.untouched)
    outcome.back_as_before = alike(before, back)
    outcome.promotion = await promote_again(system, version)
