"""A conductor over fakes: verbs that write their marks at once, or wait, or fail."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from gyre_common.context import RequestContext, request_context
from gyre_common.events.releases import Artifact, Evidence, ReleaseChanged
from gyre_common.events.training import TRAINING_FINISHED, RunOutcome, TrainingFinished
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.signature import Signature
from gyre_common.store import Store
from gyre_trainer.recipes.query_encoder.gate import decide
from gyre_trainer.recipes.query_encoder.report import (
    GateReport,
    Pair,
    Rule,
    SliceName,
    Weights,
    summary_of,
    verdict_of,
)
from gyre_trainer.runs.book import Run, RunBook
from gyre_trainer.runs.conductor import Conductor, Tools
from gyre_trainer.runs.folder import (
    ExportedCandidate,
    Prepared,
    RunFolder,
    RunFolders,
    RunSpec,
    write_json,
)
from gyre_trainer.runs.starting import NewRun, RunStarter
from gyre_trainer.runs.verbs import COMPARE, EXPORT, PREPARE, Verb
from gyre_trainer.segments import Window

from tests.fakes.bus import MemoryBus
from tests.unit.trainer.gate_builders import a_slice, all_slices

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIGEST = f"sha256:{'1' * 64}"


def a_new_run(**overrides: object) -> NewRun:
    fields: dict[str, object] = {"tenant": "default", "actor": "ann"}
    return NewRun(**{**fields, **overrides})  # type: ignore[arg-type]


def a_spec(**overrides: object) -> RunSpec:
    fields: dict[str, object] = {
        "run_id": UUID("01a1fdd2-82e0-743a-b763-6fc87c4a2179"),
        "tenant": "default",
        "recipe": "query-encoder",
        "role": "query-encoder",
        "actor": "ann",
        "version": "minilm-l6-v2-7c4a2179",
        "live": dict(built_in_artifacts(NOON)),
        "base": "minilm-l6-v2",
        "started_at": NOON,
    }
    return RunSpec.model_validate({**fields, **overrides})


def a_report(gain: float = 0.05, **overrides: object) -> GateReport:
    rule = Rule(least=15)
    slices = all_slices(a_slice(SliceName.OVERALL, gain))
    verdict, reasons = decide(slices, rule)
    fields: dict[str, object] = {
        "verdict": verdict,
        "reasons": reasons,
        "summary": summary_of(verdict, slices),
        "run_id": "r",
        "tenant": "default",
        "profile": "demo",
        "data_set": DIGEST,
        "rule": rule,
        "query_encoder": Pair(live="minilm-l6-v2", candidate="minilm-l6-v2-7c4a2179"),
        "retrieval_live": "hybrid-1",
        "document_encoder": "minilm-l6-v2",
        "live_weights": Weights(bm25=0.55, dense=0.45),
        "live_refitted_weights": Weights(bm25=0.5, dense=0.5),
        "candidate_weights": Weights(bm25=0.4, dense=0.6),
        "validation_questions": 20,
        "validation_ndcg": 0.5,
        "without_good": 3,
        "slices": tuple(slices.values()),
        "judged_in_top": {"live": 0.5, "candidate": 0.4},
        "orders_checked": 20,
        "measured_at": NOON,
    }
    return GateReport.model_validate({**fields, **overrides})


@dataclass
class FakeRegistry:
    """Remembers what was registered."""

    registered: dict[str, Artifact] = field(default_factory=dict)

    def state(self, tenant: str, role: str) -> ReleaseChanged:
        return a_state(built_in_artifacts(NOON)[role], role)

    def with_their_own(self, role: str) -> tuple[str, ...]:
        return ()

    async def register(self, tenant: str, role: str, artifact: Artifact, by: Signature) -> None:
        self.registered[role] = artifact


def a_state(
    artifact: Artifact, role: str, tenant: str = "*", generation: int = 1
) -> ReleaseChanged:
    return ReleaseChanged(
        tenant=tenant,
        role=role,
        generation=generation,
        live=artifact.version,
        artifacts=(artifact,),
        reason="",
        actor="gyre",
        changed_at=NOON,
    )


def applied(event: TrainingFinished, outcome: str, reason: str = "") -> ReleaseChanged:
    """What the release controller says once it has applied a verdict."""
    assert event.candidate is not None
    evidence = {Evidence.OUTCOME.value: outcome, Evidence.OUTCOME_REASON.value: reason}
    judged = event.candidate.model_copy(update={"evidence": evidence})
    return a_state(judged, event.role, event.tenant, 2)


@dataclass
class FakeVerbs:
    """Writes what the real verbs would. `waits` holds verbs up; `failing` raises in one."""

    store: Store
    report: GateReport = field(default_factory=a_report)
    waits: dict[str, asyncio.Event] = field(default_factory=dict)
    failing: dict[str, Exception] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    contexts: list[RequestContext] = field(default_factory=list)
    note: str = ""
    minutes: set[float | None] = field(default_factory=set)

    async def run(self, verb: Verb, folder: RunFolder) -> None:
        self.ran.append(verb.name)
        self.minutes.add(verb.minutes)
        self.contexts.append(request_context())
        folder.progress(verb.stage, 1, 2, {"loss": 0.5}, "at work")
        try:
            if verb.name in self.waits:
                await self.waits[verb.name].wait()
        finally:
            self.ended.append(verb.name)
        if verb.name in self.failing:
            raise self.failing.pop(verb.name)
        await self._finish(verb, folder)

    async def _finish(self, verb: Verb, folder: RunFolder) -> None:
        match verb.name:
            case name if name == PREPARE:
                prepared = Prepared(data_set=DIGEST, note=self.note, votes=12)
                write_json(folder.prepared_file, prepared)
            case name if name == EXPORT:
                exported = ExportedCandidate(
                    version=folder.spec().version, digest=DIGEST, uri="file:///m"
                )
                write_json(folder.candidate_file, exported)
            case name if name == COMPARE:
                stored_report = await self.store.put(self.report.model_dump_json().encode())
                verdict = verdict_of(folder.spec(), self.report, stored_report)
                write_json(folder.verdict_file, verdict)
            case _:
                verb.mark.parent.mkdir()
                (verb.mark.parent / "step-9").mkdir()
                (verb.mark.parent / "model.safetensors").write_bytes(b"large")
                verb.mark.write_text(json.dumps({}))


class Stage:
    """All that a test of runs looks at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bus = MemoryBus(service="trainer")
        self.book = RunBook()
        self.registry = FakeRegistry()
        self.applies = True
        """Verdicts are applied at once: what passed is released, unless it is held."""
        self.store = Store(f"file://{path}/store")
        self.verbs = FakeVerbs(self.store)
        self.missing: Sequence[str] = ()
        self.folders = RunFolders(path / "runs", keep_newest=2)

    @asynccontextmanager
    async def conductor(self) -> AsyncIterator[Conductor]:
        """Opened a second time, it is as after a restart."""

        async def current_window() -> Window:
            return {"feedback.received.v1/0": (0, 9)}

        @self.bus.on(TRAINING_FINISHED, group="releases")
        async def on_training_finished(event: TrainingFinished) -> None:
            if event.verdict is not None and self.applies:
                passed = event.outcome is RunOutcome.PASSED and not event.hold
                self.book.apply([applied(event, "released" if passed else event.outcome)])

        tools = Tools(
            starter=RunStarter(self.registry, current_window, lambda _: list(self.missing)),
            folders=self.folders,
            registry=self.registry,
            run_verb=self.verbs.run,
        )
        async with Conductor(self.book, self.bus, tools) as conductor:
            yield conductor

    def folder(self, run_id: UUID) -> RunFolder:
        return self.folders.folder(run_id)

    def folder_names(self) -> set[str]:
        return {path.name for path in (self.path / "runs").iterdir()}


async def ended(conductor: Conductor, run_id: UUID, tenant: str = "default") -> Run:
    """The run once it is over."""
    last: Run | None = None
    async with asyncio.timeout(10):
        async for run in conductor.book.watch(run_id, tenant):
            last = run
    assert last is not None
    return last
