"""The demonstration from the first document to the way back, stage by stage."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gyre.trainer.v1 import trainer_pb2
from gyre_client import AsyncClient, Caller, GyreError, InvalidInput
from gyre_client.runs import RUNNING
from gyre_client.submission import Draft, Progress

from gyre_cli.command import Cli
from gyre_cli.demo.corpus import SEED, DemoCorpus, DemoQuestion, Document, Size, generate
from gyre_cli.demo.crowd import Crowd, CrowdTally, Habits
from gyre_cli.demo.measures import QualityComparison, Rankings, alike, compare, rankings, slices
from gyre_cli.demo.releasing import ACTOR, Switch, explore, live_is, promote_again, roll_back
from gyre_cli.demo.stages import Bar, Stages
from gyre_cli.demo.system import cpu_seconds
from gyre_cli.run_calls import begin
from gyre_cli.run_view import RunProgress

PROFILE = "demo"
RECIPE = "query-encoder"
_TENANT = "demo"
_MOST_TENANTS = 1_000
_PATIENCE_SECONDS = 120.0
_GOODBYE_SECONDS = 5.0
_RELEASED = "released"


@dataclass
class DemoResult:
    """What the demonstration found. Without a release the later parts stay empty."""

    tenant: str
    documents: int
    size: str
    tally: CrowdTally = field(default_factory=CrowdTally)
    run: trainer_pb2.Run = field(default_factory=trainer_pb2.Run)
    quality: Mapping[str, QualityComparison | None] = field(default_factory=dict)
    last_vote_to_live_seconds: float | None = None
    rollback: Switch | None = None
    rankings_as_before: int = 0
    rankings_compared: int = 0
    promotion: Switch | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    cpu_minutes: float | None = None

    @property
    def released(self) -> bool:
        """Whether the gate let the trained version live."""
        return bool(self.run.state == _RELEASED)


async def run_demo(cli: Cli, gyre: AsyncClient, size: Size) -> DemoResult:
    """All of it, in a tenant that holds nothing yet.

    Raises:
        InvalidInput: the tenant that was asked for has documents.
        GyreError: the system is not up, or stopped taking what it was given.
    """
    corpus = generate(size)
    stages = Stages(cli.out)
    tenant = await _free_tenant(gyre)
    system = gyre.with_caller(tenant=tenant, actor=ACTOR)
    cpu_before = cpu_seconds(cli.settings.home)
    async with _note_when_stopped(cli, tenant):
        result = DemoResult(tenant, len(corpus.documents), size.name)
        await _submit(system, corpus.documents, stages)
        before = await _measure(system, corpus.untouched, stages, "measuring before")
        await explore(system)
        result.tally = await _crowd(system, corpus, size.passes, stages)
        result.run = await _train(cli, system, size, stages)
        if result.released:
            await _release(system, corpus, before, result, stages)
    result.seconds = stages.seconds
    now = cpu_seconds(cli.settings.home)
    if cpu_before is not None and now is not None:
        result.cpu_minutes = (now - cpu_before) / 60
    return result


@asynccontextmanager
async def _note_when_stopped(cli: Cli, tenant: str) -> AsyncIterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        cli.out.note(
            f"stopped, no training goes on; tenant {tenant} keeps what it holds, and the next "
            "`gyre demo` begins in another one"
        )
        raise


async def _free_tenant(gyre: AsyncClient) -> str:
    """Each demonstration begins from nothing: `demo`, then `demo-2` and so on."""
    own_tenant = gyre.caller.tenant
    if own_tenant != Caller().tenant:
        if await _has_documents(gyre):
            raise InvalidInput(
                "--tenant", f"{own_tenant} has documents", "leave it out, or name an unused one"
            )
        return own_tenant
    for number in range(1, _MOST_TENANTS):
        tenant = _TENANT if number == 1 else f"{_TENANT}-{number}"
        if not await _has_documents(gyre.with_caller(tenant=tenant)):
            return tenant
    raise InvalidInput("--tenant", "is missing: all names for it are taken", "name an unused one")


async def _has_documents(gyre: AsyncClient) -> bool:
    async for _ in gyre.documents.list():
        return True
    return False


async def _submit(system: AsyncClient, documents: tuple[Document, ...], stages: Stages) -> None:
    with stages.stage("submitting documents", len(documents)) as bar:
        await submit(system, documents, bar)


async def submit(gyre: AsyncClient, documents: tuple[Document, ...], bar: Bar) -> None:
    """Returns when all are searchable; raises GyreError when one is not, or nothing moves."""
    progress = Progress()
    drafts = [Draft(one.document_id, one.text.encode, "text/markdown") for one in documents]
    display = asyncio.create_task(_show_progress(progress, bar))
    try:
        await gyre.documents.submit_all(drafts, progress, patience_seconds=_PATIENCE_SECONDS)
    finally:
        display.cancel()
        await asyncio.gather(display, return_exceptions=True)
    others = [fate for fate in progress.finished if fate.outcome != "indexed"]
    if others:
        raise GyreError(f"{others[0].document_id} was {others[0].outcome}: {others[0].detail}")


async def _show_progress(progress: Progress, bar: Bar) -> None:
    while True:
        bar.at(len(progress.finished))
        await asyncio.sleep(0.1)


async def _measure(
    system: AsyncClient, questions: tuple[DemoQuestion, ...], stages: Stages, name: str
) -> Rankings:
    with stages.stage(name, len(questions)) as bar:
        return await rankings(system, questions, bar.step)


async def _crowd(
    system: AsyncClient, corpus: DemoCorpus, passes: int, stages: Stages
) -> CrowdTally:
    crowd = Crowd(system, habits=Habits(), seed=SEED)
    with stages.stage("the crowd asks and votes", passes * len(corpus.crowd_questions)) as bar:
        return await crowd.ask(
            corpus.crowd_questions, lambda tally: bar.at(tally.questions), passes=passes
        )


async def _train(cli: Cli, system: AsyncClient, size: Size, stages: Stages) -> trainer_pb2.Run:
    with stages.clock("training and gate"):
        try:
            run = await begin(
                cli,
                system,
                recipe=RECIPE,
                profile=PROFILE,
                tenant=system.caller.tenant,
                settings=size.training,
                reason="gyre demo",
            )
            with RunProgress(cli.out) as progress:
                return await system.runs.follow(run.run_id, progress.show)
        except asyncio.CancelledError:
            await stop_training(system)
            raise


async def stop_training(gyre: AsyncClient) -> None:
    """Whoever ends the demonstration does not want its training to go on in the background."""
    with suppress(GyreError):
        for run in await gyre.runs.list():
            if run.state == RUNNING and run.tenant == gyre.caller.tenant:  # not that of all tenants
                await gyre.runs.cancel(run.run_id, timeout=_GOODBYE_SECONDS)


async def _release(
    system: AsyncClient, corpus: DemoCorpus, before: Rankings, result: DemoResult, stages: Stages
) -> None:
    """The run ends once the release is safe in Kafka; what counts is when searches use it."""
    version = result.run.version
    await live_is(system, version)
    result.last_vote_to_live_seconds = time.monotonic() - result.tally.last_word_at
    after = await _measure(system, corpus.untouched, stages, "measuring after")
    result.quality = {
        name: compare(some, before, after)
        for name, some in slices(corpus.untouched, result.tally.liked).items()
    }
    result.rollback = await roll_back(system)
    back = await _measure(system, corpus.untouched, stages, "measuring after the rollback")
    result.rankings_compared = len(corpus.untouched)
    result.rankings_as_before = alike(before, back)
    result.promotion = await promote_again(system, version)
