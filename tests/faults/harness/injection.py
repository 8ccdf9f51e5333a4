"""Makes the faults of a schedule happen to a system at work, each while there is work to lose."""

import asyncio
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.request import urlopen

from gyre_local.ports import SERVICES

from tests.faults.harness.backlog import Backlog, uncommitted
from tests.faults.harness.own_system import CLOCKS, LINKS, OwnSystem, faketime_library
from tests.faults.harness.report import Outcome
from tests.faults.harness.schedule import Fault, FaultKind, Plan
from tests.faults.harness.workload import Customers

ENGINES = ("kafka", "elasticsearch", "clickhouse")
_WRITERS = ("ingestor", "trainer")
"""Services that write into the store."""

_DOORS: Mapping[str, Sequence[str]] = {
    "ingestor": ("ingestor",),
    "generator": ("generator",),
    "feedback-collector": ("feedback-collector",),
    "releases": ("releases",),
    "gateway": ("gateway",),
    "kafka": ("ingestor", "generator", "feedback-collector", "gateway", "releases"),
}
"""Whose callers lose something when it dies."""

_GROUPS: Mapping[str, Sequence[str]] = {
    "ingestor": ("ingestor",),
    "embedder": ("embedder",),
    "judge": ("judge",),
    "trainer": ("trainer",),
    "telemetry": ("telemetry",),
    "kafka": ("ingestor", "embedder", "judge", "trainer", "telemetry"),
    "elasticsearch": ("embedder",),
    "clickhouse": ("telemetry",),
}
"""Whose records it has in hand."""

_RPCS: Mapping[str, tuple[str, str]] = {
    "retriever": ("retriever", "Retrieve"),
    "elasticsearch": ("retriever", "Retrieve"),
}
"""Calls that it answers itself, or that wait for it: where they are counted."""

WORK_WITHIN = 30.0
RECOVERED_WITHIN = 180.0
_LOOK_EVERY = 0.02
_MORE_WORK = 0.0002
"""The share of all work that may begin earlier at each look for some that can be lost."""
_SLOW_PIECE = 0.25
_JUMPS = (3_600, -3_600)


@dataclass(frozen=True)
class Possible:
    """What a run on this machine may do, and why the rest is not run."""

    plans: Sequence[Plan]
    not_run: Mapping[FaultKind, str]


def possible(kills: int) -> Possible:
    """The faults of a run with so many kills: a fixed share of each other kind."""
    links = [f"{service}-{engine}" for service, engine in LINKS]
    stopped = ("ingestor", "embedder", "generator", "trainer", "telemetry", "kafka")
    plans = [
        Plan(FaultKind.KILL, kills, (*SERVICES, *ENGINES)),
        Plan(FaultKind.STOP, max(1, kills // 8), stopped, 6.0),
        Plan(FaultKind.TERMINATE, max(1, kills // 12), SERVICES),
        Plan(FaultKind.BROKER_RESTART, max(1, kills // 20), ("kafka",)),
        Plan(FaultKind.CUT, max(1, kills // 8), links, 5.0),
        Plan(FaultKind.SLOW, max(1, kills // 8), links, 6.0),
        Plan(FaultKind.DISK_FULL, max(1, kills // 15), _WRITERS, 5.0),
    ]
    alone = "in the run of the delivery layer alone: python -m tests.faults.harness.delivery_run"
    not_run = {
        FaultKind.BROKER_OF_THREE: "in its own run: python -m tests.faults.harness.three_brokers",
        **dict.fromkeys(
            (
                FaultKind.DUPLICATES,
                FaultKind.REPLAY,
                FaultKind.POISON,
                FaultKind.HOSTILE,
                FaultKind.REBALANCE,
                FaultKind.BUG,
                FaultKind.ENGINE_ERRORS,
            ),
            alone,
        ),
    }
    if faketime_library() is None:
        not_run[FaultKind.CLOCK] = "libfaketime is not installed (apt-get install libfaketime)"
    else:
        plans.append(Plan(FaultKind.CLOCK, max(1, kills // 12), CLOCKS, 6.0))
    return Possible(plans, not_run)


class Injector:
    """One fault after the other; the next one comes when the system has got on after the last."""

    def __init__(
        self, system: OwnSystem, customers: Customers, backlog: Backlog, began: float
    ) -> None:
        """`began` is when the run did, by `time.monotonic()`."""
        self._system = system
        self._customers = customers
        self._backlog = backlog
        self._began = began

    async def inject(self, fault: Fault) -> Outcome:
        """Returns when the system has got on, or after RECOVERED_WITHIN seconds."""
        restarts = self._restarts()
        in_flight = await self._work_to_lose(fault.target)
        started = time.monotonic()
        await self._happen(fault)
        ended = time.monotonic()
        dies = fault.kind in (FaultKind.KILL, FaultKind.TERMINATE, FaultKind.BROKER_RESTART)
        gone = fault.target if dies else ""
        recovered = await self._recovered(gone, restarts)
        return Outcome(
            fault=fault,
            started=started - self._began,
            ended=ended - self._began,
            in_flight=in_flight,
            recovered_in=time.monotonic() - ended if recovered else None,
        )

    async def _happen(self, fault: Fault) -> None:
        target = fault.target
        match fault.kind:
            case FaultKind.KILL:
                self._signal(target, signal.SIGKILL)
            case FaultKind.TERMINATE | FaultKind.BROKER_RESTART:
                self._signal(target, signal.SIGTERM)
            case FaultKind.STOP:
                self._signal(target, signal.SIGSTOP)
                await asyncio.sleep(fault.duration)
                self._signal(target, signal.SIGCONT)
            case FaultKind.CUT:
                self._system.links[target].cut()
                await asyncio.sleep(fault.duration)
                self._system.links[target].mend()
            case FaultKind.SLOW:
                self._system.links[target].slow(_SLOW_PIECE)
                await asyncio.sleep(fault.duration)
                self._system.links[target].mend()
            case FaultKind.CLOCK:
                self._system.set_clock(target, _JUMPS[fault.at % len(_JUMPS)])
                await asyncio.sleep(fault.duration)
                self._system.set_clock(target, 0)
            case FaultKind.DISK_FULL:
                await self._without_room(target, fault.duration)
            case _:
                raise ValueError(f"nothing here makes {fault.kind} happen")

    def _signal(self, target: str, number: signal.Signals) -> None:
        pid = self._system.pid(target)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _without_room(self, target: str, seconds: float) -> None:
        """Every write of the process to a file fails, as on a full disk (EFBIG for ENOSPC)."""
        pid = self._system.pid(target)
        if pid is None:
            return
        with suppress(ProcessLookupError):
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
            await asyncio.sleep(seconds)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    async def _work_to_lose(self, target: str) -> int:
        """How much there is, as soon as there is some; 0 after WORK_WITHIN seconds without."""
        service, _, engine = target.rpartition("-")
        if engine in ENGINES and service:  # a link
            target = service
        self._customers.hurried = target in ("releases", "kafka")
        deadline = time.monotonic() + WORK_WITHIN
        try:
            while not (work := await self._work_of(target)) and time.monotonic() < deadline:
                self._customers.may_begin += _MORE_WORK
                await asyncio.sleep(_LOOK_EVERY)
        finally:
            self._customers.hurried = False
        return work

    async def _work_of(self, target: str) -> int:
        calls = sum(self._customers.in_flight[door] for door in _DOORS.get(target, ()))
        if target in _RPCS:
            calls += await asyncio.to_thread(self._rpcs_of, *_RPCS[target])
        groups = _GROUPS.get(target, ())
        if groups and not calls:
            behind = await self._backlog.look()
            calls += sum(uncommitted(behind, group) for group in groups)
        return calls

    def _rpcs_of(self, service: str, method: str) -> int:
        url = f"http://127.0.0.1:{self._system.ports.metrics(service)}/metrics"
        try:
            with urlopen(url, timeout=1) as reply:
                text = reply.read().decode()
        except OSError:
            return 0
        counts = re.findall(rf'^gyre_rpc_in_flight{{method="[^"]*{method}"}} ([\d.]+)$', text, re.M)
        return int(sum(map(float, counts)))

    def _restarts(self) -> dict[str, int]:
        return {one.name: one.restarts for one in self._system.supervisor.state.processes}

    async def _recovered(self, gone: str, restarts: Mapping[str, int]) -> bool:
        """Everything is ready, and each kind of work that somebody tries to do got on."""
        before = {name: done for name, (done, _) in self._customers.progress().items()}

        def gets_on() -> bool:
            return all(
                done > before[name] or not tried
                for name, (done, tried) in self._customers.progress().items()
            )

        def is_back() -> bool:
            state = self._system.supervisor.state
            return state.ready and (
                not gone or self._system.process(gone).restarts > restarts[gone]
            )

        return await _until(lambda: is_back() and gets_on(), RECOVERED_WITHIN)


async def _until(check: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    try:
        async with asyncio.timeout(seconds):
            while not check():
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True
