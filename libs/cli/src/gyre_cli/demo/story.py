"""The demonstration from the first document to the way back, stage by stage."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO

from gyre.trainer.v1 import trainer_pb2
from gyre_client import AsyncClient, Caller, GyreError, InvalidInput
from gyre_client.submission import Draft, Progress
from gyre_common.events.releases import Roles

from gyre_cli.command import Cli
from gyre_cli.demo.corpus import SEED, DemoQuestion, Document, Size, generate
from gyre_cli.demo.costs import cpu_seconds
from gyre_cli.demo.crowd import Crowd, CrowdTally, Habits
from gyre_cli.demo.measures import QualityComparison, Rankings, compare, rankings, slices
from gyre_cli.demo.second_act import SecondAct, second_act
from gyre_cli.demo.stages import Stages
from gyre_cli.demo.switching import Switch, promote_again, roll_back
from gyre_cli.demo.training import train
from gyre_cli.output import repeatedly

ACTOR = "gyre-demo"
_TRAINING = {"rehearsal": "0"}
"""The manual is all there is: no other documents, which rehearsing would keep findable."""

_TENANT = "demo"
_MOST_TENANTS = 1_000
_EXPLORATION = "0.1"
_SWITCHED_WITHIN = 60.0
_POLL_SECONDS = 0.02


@dataclass
class DemoResult:
    """What the demonstration found. Without a release the later parts stay empty."""

    tenant: str
    documents: int
    size: str
    tally: CrowdTally = field(default_factory=CrowdTally)
    run: trainer_pb2.Run = field(default_factory=trainer_pb2.Run)
    run_cpu_minutes: dict[str, float] = field(default_factory=dict)
    quality: Mapping[str, QualityComparison | None] = field(default_factory=dict)
    last_vote_to_live_seconds: float | None = None
    rollback: Switch | None = None
    rankings_as_before: int = 0
    rankings_compared: int = 0
    promotion: Switch | None = None
    second_act: SecondAct | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    cpu_minutes: float | None = None

    @property
    def released(self) -> bool:
        """Whether the gates let what was trained live."""
        acts = [self.run] if self.second_act is None else [self.run, self.second_act.run]
        return all(run.state == "released" for run in acts)


async def run_demo(
    cli: Cli, gyre: AsyncClient, size: Size, *, generator: bool = True
) -> DemoResult:
    """All of it, the second act only with `generator`, in a tenant that holds nothing yet.

    Raises GyreError, as InvalidInput when the tenant that was asked for has documents.
    """
    tenant = await _free_tenant(gyre)
    cpu_before = cpu_seconds(cli.settings.home)
    try:
        system = gyre.with_caller(tenant=tenant, actor=ACTOR)
        result = await _all_stages(cli, system, size, generator=generator)
    except asyncio.CancelledError:
        cli.out.note(
            f"stopped, no training goes on; tenant {tenant} keeps what it holds, and the next "
            "`gyre demo` begins in another one"
        )
        raise
    now = cpu_seconds(cli.settings.home)
    if cpu_before is not None and now is not None:
        result.cpu_minutes = (now - cpu_before) / 60
    return result


async def _all_stages(cli: Cli, system: AsyncClient, size: Size, *, generator: bool) -> DemoResult:
    corpus, stages = generate(size), Stages(cli.out)
    result = DemoResult(system.caller.tenant, len(corpus.documents), size.name)
    with stages.stage("submitting documents", len(corpus.documents)) as show:
        await submit(system, corpus.documents, show)
    before = await _measure(system, corpus.untouched, stages, "measuring before")
    await explore(system)
    crowd, questions = Crowd(system, habits=Habits(), seed=SEED), corpus.crowd_questions
    with stages.stage("the crowd asks and votes", size.passes * len(questions)) as show:
        result.tally = await crowd.ask(questions, show, passes=size.passes)
    with stages.clock("training and gate"):
        trained = await train(cli, system, recipe="query-encoder", settings=_TRAINING)
    result.run, result.run_cpu_minutes = trained
    if result.released:
        await _release(system, corpus.untouched, before, result, stages)
    if generator:
        result.second_act = await second_act(cli, system, corpus, size, stages)
    result.seconds = stages.seconds
    return result


async def _free_tenant(gyre: AsyncClient) -> str:
    """Each demonstration begins from nothing: `demo`, then `demo-2` and so on."""
    named = gyre.caller.tenant
    if named != Caller().tenant:
        tenants = [named]
        problem, fix = f"{named} has documents", "leave it out, or name an unused one"
    else:
        tenants = [_TENANT, *(f"{_TENANT}-{number}" for number in range(2, _MOST_TENANTS))]
        problem, fix = "is missing: all names for it are taken", "name an unused one"
    for tenant in tenants:
        if not await _has_documents(gyre.with_caller(tenant=tenant)):
            return tenant
    raise InvalidInput("--tenant", problem, fix)


async def _has_documents(gyre: AsyncClient) -> bool:
    async for _ in gyre.documents.list():
        return True
    return False


async def submit(
    gyre: AsyncClient, documents: Sequence[Document], show: Callable[[int], None]
) -> None:
    """Returns when all are searchable; raises GyreError when one is not, or nothing moves."""
    progress = Progress()
    drafts = [
        Draft(one.document_id, partial(BytesIO, one.text.encode()), "text/markdown")
        for one in documents
    ]
    async with repeatedly(lambda: show(len(progress.finished))):
        await gyre.documents.submit_all(drafts, progress)
    others = [fate for fate in progress.finished if fate.outcome != "indexed"]
    if others:
        raise GyreError(f"{others[0].document_id} was {others[0].outcome}: {others[0].detail}")


async def _measure(
    system: AsyncClient, questions: Sequence[DemoQuestion], stages: Stages, name: str
) -> Rankings:
    with stages.stage(name, len(questions)) as show:
        return await rankings(system, questions, show)


async def _release(
    system: AsyncClient,
    questions: Sequence[DemoQuestion],
    before: Rankings,
    result: DemoResult,
    stages: Stages,
) -> None:
    """The run ends once the release is safe in Kafka; what counts is when searches use it."""
    await until_live(system)
    result.last_vote_to_live_seconds = time.monotonic() - result.tally.last_word_at
    after = await _measure(system, questions, stages, "measuring after")
    result.quality = {
        name: compare(some, before, after)
        for name, some in slices(questions, result.tally.liked).items()
    }
    role, until = Roles.QUERY_ENCODER, partial(until_live, system)
    result.rollback = await roll_back(system, role, until)
    back = await _measure(system, questions, stages, "measuring after the rollback")
    result.rankings_compared = len(questions)
    result.rankings_as_before = sum(before[key] == back[key] for key in before)
    result.promotion = await promote_again(system, role, result.run.version, until)


async def explore(gyre: AsyncClient) -> None:
    """A small share of what is shown is not what the ranking would show.

    No gate judges settings alone, so this is an override, and is recorded as one.
    """
    role, tenant = Roles.RETRIEVAL, gyre.caller.tenant
    live = (await gyre.releases.list(role))[role].live
    version = f"{live}-exploring"
    reason = "the demonstration's tenant explores, so that the gate is less biased towards live"
    settings = {"exploration": _EXPLORATION}
    await gyre.releases.register(
        role, version, settings, based_on=live, reason=reason, tenant=tenant
    )
    await gyre.releases.promote(role, version, reason=reason, override=True, tenant=tenant)
    await until_live(gyre)


async def until_live(gyre: AsyncClient) -> None:
    """Returns once searches are answered by what is released now: an encoder moves with its
    weights, and the two reach a service one after the other.
    """
    deadline = time.monotonic() + _SWITCHED_WITHIN
    released = await gyre.releases.list()
    while True:
        reply = await gyre.search.retrieve("which version answers?", limit=1, timeout=10.0)
        serving = {role: live for role, live in reply.versions.items() if role in released}
        late = [role for role, live in serving.items() if live != released[role].live]
        if not late:
            return
        if time.monotonic() > deadline:
            role, tenant = late[0], gyre.caller.tenant
            raise GyreError(
                f"{role} {serving[role]} still serves tenant {tenant} after "
                f"{_SWITCHED_WITHIN:.0f} s: see `gyre releases {role} --tenant {tenant}` and "
                "`gyre logs retriever`"
            )
        await asyncio.sleep(_POLL_SECONDS)
