"""Trainer and releases around real facts and real verbs; only the topics are in memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.releases.builtin import shipped_artifacts
from gyre_common.signature import Signature
from gyre_common.store import Shelf
from gyre_releases.book import ReleaseBook
from gyre_releases.draft import Changes
from gyre_releases.handlers import build_handlers
from gyre_releases.scope import ReleaseScope
from gyre_releases.service import ReleaseController
from gyre_trainer.recipes.recipe import Recipe
from gyre_trainer.runs.book import Run, RunBook
from gyre_trainer.runs.conductor import Conductor, Tools
from gyre_trainer.runs.folder import RunFolder, RunFolders
from gyre_trainer.runs.starting import NewRun, RunStarter
from gyre_trainer.segments import FOLDER, Segments, Window
from gyre_trainer.segments.facts import FeedbackFact, PartitionFacts
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS

from tests.fakes.bus import MemoryBus

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANN = Signature(actor="ann")
_NAMES = UUID(int=1)


class TopicInMemory:
    """Implements ReleaseLog, and the registry that runs ask for what is live."""

    def __init__(self) -> None:
        self.written: list[ReleaseChanged] = []
        self.controller: ReleaseController | None = None
        self.runs = RunBook()

    async def open(self) -> Sequence[ReleaseChanged]:
        return list(self.written)

    async def append(self, changes: Changes) -> None:
        self.written.extend(changes)
        self.runs.apply(changes)

    def state(self, tenant: str, role: str) -> ReleaseChanged:
        states = {each.tenant: each for each in self.written if each.role == role}
        return states.get(tenant, states[EVERY_TENANT])

    def with_their_own(self, role: str) -> tuple[str, ...]:
        return ()

    async def register(self, tenant: str, role: str, artifact: Artifact, by: Signature) -> None:
        assert self.controller is not None
        await self.controller.register(role, artifact, by, scope=ReleaseScope(tenant, tenant))


class Loop:
    """From corrections to a release of one recipe."""

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self._segments = Segments(Shelf(f"file://{path}/store", FOLDER))
        self._folders = RunFolders(path / "runs", keep_newest=5)
        self._recipe = recipe
        self._topic = TopicInMemory()
        self.conductor: Conductor
        self.controller: ReleaseController

    async def correct(self, answers: Sequence[str]) -> None:
        """Somebody corrects as many answers."""
        await self._segments.append(
            FEEDBACK, 0, [_correction(at, answer) for at, answer in enumerate(answers)]
        )

    async def collect(self, facts: PartitionFacts, passages: Mapping[str, str]) -> None:
        """What was asked and said; `passages` are texts by digest."""
        await self._segments.append(INTERACTIONS, 0, list(facts.interactions), passages)
        await self._segments.append(FEEDBACK, 0, list(facts.feedback))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Loop"]:
        """Both services; verdicts go from one to the other as events."""
        bus, self._topic.runs = MemoryBus(service="trainer"), RunBook()
        self.controller = self._topic.controller = ReleaseController(
            self._topic, ReleaseBook(lambda: NOON), {}
        )
        await self.controller.start(shipped_artifacts(NOON), Signature(actor="gyre"))
        build_handlers(bus, self.controller)
        recipes = {self._recipe.name: self._recipe}

        async def current_window() -> Window:
            return await self._segments.durable()

        tools = Tools(
            starter=RunStarter(self._topic, current_window, recipes=recipes),
            folders=self._folders,
            registry=self._topic,
        )
        async with Conductor(self._topic.runs, bus, tools) as self.conductor:
            yield self

    async def start(self, *, profile: str = "", **settings: object) -> Run:
        """A run of the recipe."""
        text = {name: str(value) for name, value in settings.items()}
        return await self.conductor.start(
            NewRun(
                tenant="acme",
                actor="ann",
                recipe=self._recipe.name,
                profile=profile,
                settings=text,
            )
        )

    async def ended(self, run: Run) -> Run:
        """The run once it is over."""
        async with asyncio.timeout(100):
            async for latest in self.conductor.book.watch(run.run_id, "acme"):
                run = latest
        return run

    def folder(self, run: Run) -> RunFolder:
        return self._folders.folder(run.run_id)

    def live(self, role: str) -> Artifact:
        """What the tenant is served."""
        state = self._topic.state("acme", role)
        artifact = state.artifact(state.live)
        assert artifact is not None
        return artifact


def _correction(at: int, answer: str) -> FeedbackFact:
    return FeedbackFact(
        offset=at,
        tenant="acme",
        interaction_id=str(uuid5(_NAMES, f"interaction {at}")),
        feedback_id=str(uuid5(_NAMES, f"feedback {at}")),
        kind="correction",
        value=answer,
        target="answer",
        actor=f"actor {at % 5}",
        received_at=NOON,
    )
