"""The demonstration from the first document to the way back, stage by stage."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gyre.trainer.v1 import trainer_pb2
from gyre_client import AsyncClient, Caller, GyreError, InvalidInput
from gyre_client.runs import RUNNING
from gyre_client.submission import Draft, Progress

from gyre_cli.command import Cli
from gyre_cli.demo.corpus import SEED, DemoQuestion, Document, Size, generate
from gyre_cli.demo.crowd import Crowd, CrowdTally, Habits
from gyre_cli.demo.measures import QualityComparison, Rankings, alike, compare, rankings, slices
from gyre_cli.demo.releasing import ACTOR, Switch, explore, promote_again, roll_back, until_live
from gyre_cli.demo.stages import Stages, cpu_seconds
from gyre_cli.output import repeatedly
from gyre_cli.training import begin, follow

_TENANT = "demo"
_MOST_TENANTS = 1_000
_PATIENCE_SECONDS = 120.0
_GOODBYE_SECONDS = 5.0


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
        return bool(self.run.state == "released")


async def run_demo(cli: Cli, gyre: AsyncClient, size: Size) -> DemoResult:
    """All of it, in a tenant that holds nothing yet.

    Raises:
        InvalidInput: the tenant that was asked for has documents.
        GyreError: the system is not up, or stopped taking what it was given.
    """
    corpus, stages = generate(size), Stages(cli.out)
    tenant = await _free_tenant(gyre)
    system = gyre.with_caller(tenant=tenant, actor=ACTOR)
    cpu_before = cpu_seconds(cli.settings.home)
    result = DemoResult(tenant, len(corpus.documents), size.name)
    async with _note_when_stopped(cli, tenant):
        with stages.stage("submitting documents", len(corpus.documents)) as show:
            await submit(system, corpus.documents, show)
        before = await _measure(system, corpus.untouched, stages, "measuring before")
        await explore(system)
        turns = size.passes * len(corpus.crowd_questions)
        with stages.stage("the crowd asks and votes", turns) as show:
            crowd = Crowd(system, habits=Habits(), seed=SEED)
            result.tally = await crowd.ask(corpus.crowd_questions, show, passes=size.passes)
        with stages.clock("training and gate"):
            result.run = await _train(cli, system, size)
        if result.released:
            await _release(system, corpus.untouched, before, result, stages)
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


async def submit(
    gyre: AsyncClient, documents: Sequence[Document], show: Callable[[int], None]
) -> None:
    """Returns when all are searchable; raises GyreError when one is not, or nothing moves."""
    progress = Progress()
    drafts = [Draft(one.document_id, one.text.encode, "text/markdown") for one in documents]
    async with repeatedly(lambda: show(len(progress.finished))):
        await gyre.documents.submit_all(drafts, progress, patience_seconds=_PATIENCE_SECONDS)
    others = [fate for fate in progress.finished if fate.outcome != "indexed"]
    if others:
        raise GyreError(f"{others[0].document_id} was {others[0].outcome}: {others[0].detail}")


async def _measure(
    system: AsyncClient, questions: Sequence[DemoQuestion], stages: Stages, name: str
) -> Rankings:
    with stages.stage(name, len(questions)) as show:
        return await rankings(system, questions, show)


async def _train(cli: Cli, system: AsyncClient, size: Size) -> trainer_pb2.Run:
    try:
        run = await begin(
            cli,
            system,
            recipe="query-encoder",
            profile="demo",
            tenant=system.caller.tenant,
            settings=size.training,
            reason="gyre demo",
        )
        return await follow(cli, system, run.run_id)
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
    system: AsyncClient,
    questions: Sequence[DemoQuestion],
    before: Rankings,
    result: DemoResult,
    stages: Stages,
) -> None:
    """The run ends once the release is safe in Kafka; what counts is when searches use it."""
    await until_live(system, result.run.version)
    result.last_vote_to_live_seconds = time.monotonic() - result.tally.last_word_at
    after = await _measure(system, questions, stages, "measuring after")
    result.quality = {
        name: compare(some, before, after)
        for name, some in slices(questions, result.tally.liked).items()
    }
    result.rollback = await roll_back(system)
    back = await _measure(system, questions, stages, "measuring after the rollback")
    result.rankings_compared = len(questions)
    result.rankings_as_before = alike(before, back)
    result.promotion = await promote_again(system, result.run.version)
