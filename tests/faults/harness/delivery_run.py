"""The delivery layer alone, on a real broker, under faults: from producers to a recording sink.

`python -m tests.faults.harness.delivery_run --seed S --actions N --kills K [--variant V] [--bug B]`
"""

import argparse
import asyncio
import logging
import os
import random
import resource
import signal
import sys
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from gyre_common.bus.topics import ensure_topics
from gyre_local.testing import LocalEngines, engines

from tests.faults.harness import doubles, seeded_bugs
from tests.faults.harness.checker import Entry, Holdings, judge
from tests.faults.harness.consumer import BUG, ENGINE_ERRORS
from tests.faults.harness.history import read_history
from tests.faults.harness.processes import ConsumerProcess
from tests.faults.harness.producing import Producers
from tests.faults.harness.report import Outcome, Progress, Report
from tests.faults.harness.schedule import Fault, FaultKind, Plan, printed, schedule
from tests.faults.harness.shapes import STORES, topics_of
from tests.faults.harness.sink import SinkReader
from tests.faults.harness.watching import BrokerWatch

CONSUMERS = ("c1", "c2", "c3")
NOT_RUN = {
    FaultKind.BROKER_OF_THREE: "a run of its own",
    FaultKind.CUT: "by proxies, in the run of the whole system",
    FaultKind.SLOW: "by proxies, in the run of the whole system",
    FaultKind.CLOCK: "in the run of the whole system, where libfaketime is there",
}

_LOOK_EVERY = 0.05
_OUTSTANDING = 3_000
_FAULTS_AT_ONCE = 2
_LEAST_WORK = 100
"""Acts to be handled while a process is about to be hurt, beyond those wanted if need be."""

_POISON = 8
_DUPLICATES = 100
_REPLAYED = 300
_DISK_ROOM = 4_096
_STORM_PAUSE = 1.0


def plans(kills: int) -> list[Plan]:
    """So many kills, and the others in proportion."""
    few = max(1, kills // 10)
    return [
        Plan(FaultKind.KILL, kills, CONSUMERS),
        Plan(FaultKind.STOP, max(1, kills // 5), CONSUMERS, duration=8.0),
        Plan(FaultKind.TERMINATE, max(1, kills // 5), CONSUMERS),
        Plan(FaultKind.BROKER_RESTART, few, ["kafka"]),
        Plan(FaultKind.REBALANCE, few, ["another member"], duration=6.0),
        Plan(FaultKind.DUPLICATES, few, ["the last acts"]),
        Plan(FaultKind.REPLAY, max(1, kills // 20), ["every group"]),
        Plan(FaultKind.POISON, few, ["every topic"]),
        Plan(FaultKind.HOSTILE, few, ["every topic"]),
        Plan(FaultKind.DISK_FULL, few, CONSUMERS, duration=3.0),
        Plan(FaultKind.BUG, few, ["every handler"], duration=2.0),
        Plan(FaultKind.ENGINE_ERRORS, few, ["the sink"], duration=3.0),
    ]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of one run. `patience`: seconds without progress after which what is missing is lost."""

    seed: int
    actions: int
    kills: int
    folder: Path
    variant: str = doubles.OURS
    bug: str | None = None
    patience: float = 180.0
    plans: Sequence[Plan] | None = None

    @property
    def faults(self) -> list[Fault]:
        """The schedule."""
        return schedule(self.seed, self.actions, self.plans or plans(self.kills))

    @property
    def command(self) -> str:
        """How to run it again."""
        variant = "" if self.variant == doubles.OURS else f" --variant {self.variant}"
        bug = f" --bug '{self.bug}'" if self.bug else ""
        return (
            f"python -m tests.faults.harness.delivery_run --seed {self.seed} "
            f"--actions {self.actions} --kills {self.kills}{variant}{bug}"
        )


class DeliveryRun:
    """One run on a Kafka that is up; what it starts ends with it."""

    def __init__(self, settings: Settings, kafka: LocalEngines) -> None:
        run = uuid4().hex[:8]
        self._settings = settings
        self._kafka = kafka
        self._servers = kafka.ports.kafka_servers
        self._topics = topics_of(run)
        self._folder = settings.folder / run
        self._folder.mkdir(parents=True)
        self._sink = SinkReader(self._folder)
        self._progress = Progress(settings.actions)
        self._outcomes: list[Outcome] = []
        self._problems: list[str] = []
        self._drains: list[float] = []
        self._next_fault_at: int | None = None
        self._broker_is_away = False
        self._started_at = time.time()
        self._watch = BrokerWatch(self._servers, self._topics)
        self._producers = Producers(
            self._servers, self._topics, random.Random(settings.seed), self._folder / "history"
        )
        bug = ["--bug", settings.bug] if settings.bug else []
        arguments = [self._servers, run, str(self._folder), "--variant", settings.variant, *bug]
        self._arguments = arguments
        self._consumers = {
            name: ConsumerProcess(self._folder, name, arguments) for name in CONSUMERS
        }

    async def run(self) -> Report:
        """Send, hurt, wait and judge. The report is not written yet."""
        await ensure_topics(self._servers, self._topics.values())
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._watch)
            await stack.enter_async_context(self._producers)
            for consumer in self._consumers.values():
                stack.push_async_callback(consumer.kill)
                await consumer.start()
            await self._send_and_hurt()
            await self._until_settled()
            await asyncio.gather(*(each.terminate() for each in self._consumers.values()))
            self._sink.read()
        return self._report()

    async def _send_and_hurt(self) -> None:
        settings, producers = self._settings, self._producers
        faults = settings.faults
        happening: set[asyncio.Task[None]] = set()
        sending = asyncio.create_task(producers.send(settings.actions, lambda: self._has_room))
        supplying = asyncio.create_task(producers.send_more(1))
        moved_at, before = time.monotonic(), -1
        while not (sending.done() and supplying.done()) or faults or happening:
            self._sink.read()
            done = {task for task in happening if task.done()}
            happening -= done
            for task in done:
                task.result()
            while (
                faults
                and len(happening) < _FAULTS_AT_ONCE
                and (faults[0].at <= producers.acknowledged or sending.done())
            ):
                happening.add(asyncio.create_task(self._happen(faults.pop(0))))
            self._next_fault_at = faults[0].at if faults else None
            waiting = any(each.waits_for_work for each in self._consumers.values())
            if waiting and self._outstanding < _LEAST_WORK and supplying.done():
                supplying = asyncio.create_task(producers.send_more(_LEAST_WORK))
            now = len(self._sink.acts) + len(self._watch.parked)
            if now != before or self._broker_is_away:
                moved_at, before = time.monotonic(), now
            if time.monotonic() - moved_at > settings.patience:
                for task in (sending, supplying, *happening):
                    task.cancel()
                self._problems.append(f"nothing was handled for {settings.patience:g} s")
                break
            note = f"{self._outstanding} outstanding, {len(happening)} faults under way"
            self._progress.show(producers.acknowledged, len(self._outcomes), note)
            await asyncio.sleep(_LOOK_EVERY)
        await asyncio.gather(sending, supplying, return_exceptions=True)
        for task in (sending, supplying):
            if not task.cancelled():
                task.result()

    @property
    def _outstanding(self) -> int:
        """Acknowledged and neither in the sink nor in the dead letters."""
        done = len(self._sink.acts) + len(self._watch.parked)
        return self._producers.acknowledged - done

    @property
    def _has_room(self) -> bool:
        """A fault that is due comes first, so that none comes when all is done."""
        due = self._next_fault_at
        is_due = due is not None and self._producers.acknowledged >= due
        return self._outstanding < _OUTSTANDING and not is_due

    async def _until_settled(self) -> None:
        moved_at, before = time.monotonic(), (-1, -1)
        lag = -1
        while time.monotonic() - moved_at < self._settings.patience:
            self._sink.read()
            missing = self._producers.ids - self._sink.acts - self._watch.parked
            try:
                lag = await self._watch.lag()
            except Exception as error:
                self._progress.say(f"lag not known: {error!r}")
            if not missing and not lag:
                return
            if (len(missing), lag) != before:
                moved_at, before = time.monotonic(), (len(missing), lag)
            self._progress.show(
                self._producers.acknowledged,
                len(self._outcomes),
                f"waits for {lag} to be committed",
            )
            await asyncio.sleep(_LOOK_EVERY * 4)
        self._problems.append(
            f"nothing moved for {self._settings.patience:g} s with a lag of {lag}"
        )

    async def _happen(self, fault: Fault) -> None:
        started = self._progress.seconds
        records = await self._do(fault)
        outcome = Outcome(
            fault=fault,
            started=started,
            ended=self._progress.seconds,
            in_flight=records,
            recovered_in=None,
        )
        self._outcomes.append(outcome)

    async def _do(self, fault: Fault) -> int:
        """Do it and put it right. Returns how many records were in flight."""
        consumer = self._consumers.get(fault.target)
        outstanding = self._outstanding
        match fault.kind:
            case FaultKind.KILL:
                return await self._kill(self._consumers[fault.target])
            case FaultKind.STOP:
                return await self._stop(self._consumers[fault.target], fault.duration)
            case FaultKind.TERMINATE:
                await self._replace(self._consumers[fault.target])
            case FaultKind.BROKER_RESTART:
                await self._restart_broker()
            case FaultKind.REBALANCE:
                await self._storm(fault.duration)
            case FaultKind.DUPLICATES:
                await self._producers.send_again(_DUPLICATES)
            case FaultKind.REPLAY:
                await self._replay()
            case FaultKind.POISON:
                await self._producers.send_poison(_POISON)
            case FaultKind.HOSTILE:
                await self._producers.send_hostile()
            case FaultKind.DISK_FULL:
                assert consumer is not None
                await self._fill_disk(consumer, fault.duration)
            case FaultKind.BUG:
                await self._switch(BUG, fault.duration)
            case FaultKind.ENGINE_ERRORS:
                await self._switch(ENGINE_ERRORS, fault.duration)
            case _:
                raise NotImplementedError(fault.kind)
        return outstanding

    async def _kill(self, consumer: ConsumerProcess) -> int:
        async with consumer.lock:
            async with consumer.standing_still() as records:
                await consumer.kill()
            await consumer.start()
        if not records:
            self._problems.append(f"{consumer.name} was killed without work in flight")
        return records

    async def _stop(self, consumer: ConsumerProcess, seconds: float) -> int:
        async with consumer.lock, consumer.standing_still() as records:
            await asyncio.sleep(seconds)
        return records

    async def _replace(self, consumer: ConsumerProcess) -> None:
        async with consumer.lock:
            self._drains.append(await consumer.terminate())
            await consumer.start()

    async def _restart_broker(self) -> None:
        os.kill(self._kafka.pid("kafka"), signal.SIGKILL)
        self._broker_is_away = True
        await self._producers.send_more(1)
        self._broker_is_away = False

    async def _storm(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            extra = ConsumerProcess(self._folder, f"x{uuid4().hex[:4]}", self._arguments)
            await extra.start()
            await asyncio.sleep(_STORM_PAUSE)
            await extra.terminate()

    async def _replay(self) -> None:
        async with AsyncExitStack() as stack:
            for consumer in self._consumers.values():
                await stack.enter_async_context(consumer.lock)
            await asyncio.gather(*(each.terminate() for each in self._consumers.values()))
            await self._watch.take_back(_REPLAYED)
            for consumer in self._consumers.values():
                await consumer.start()

    async def _fill_disk(self, consumer: ConsumerProcess, seconds: float) -> None:
        """The largest size of a file of this process, which is as a disk without room."""
        async with consumer.lock:
            sizes = [
                path.stat().st_size
                for path in (self._folder / "sink").glob(f"{consumer.name}-{consumer.pid}")
            ]
            limit = max(sizes, default=0) + _DISK_ROOM
            resource.prlimit(consumer.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            await asyncio.sleep(seconds)
            everything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(consumer.pid, resource.RLIMIT_FSIZE, everything)

    async def _switch(self, flag: str, seconds: float) -> None:
        (self._folder / flag).touch()
        await asyncio.sleep(seconds)
        (self._folder / flag).unlink()

    def _report(self) -> Report:
        settings = self._settings
        log = self._sink.log
        history = read_history([self._folder / "history"])
        verdict = judge(
            history,
            Holdings(
                log=log,
                commits=self._watch.commits,
                given_up=self._sink.given_up,
                parked=self._watch.parked,
                bugs=self._sink.bugs,
                stores=STORES,
            ),
        )
        seconds = self._progress.seconds
        kills = [each for each in self._outcomes if each.fault.kind is FaultKind.KILL]
        figures = {
            "acknowledged a second": f"{verdict.acknowledged / seconds:.0f}",
            "kills with work in flight": f"{sum(e.in_flight > 0 for e in kills)} of {len(kills)}",
            "records in flight at kills": str(sum(each.in_flight for each in kills)),
            "in the dead letters": str(len(self._watch.parked)),
            "longest drain": f"{max(self._drains, default=0):.1f} s",
        }
        if settings.variant == doubles.OURS and max(self._drains, default=0) > 10:
            self._problems.append("a consumer took more than 10 s to leave")
        return Report(
            title=f"Delivery under faults ({settings.bug or settings.variant})",
            command=settings.command,
            seed=settings.seed,
            seconds=seconds,
            verdict=verdict,
            outcomes=with_recovery(self._outcomes, log, self._started_at),
            not_run=NOT_RUN,
            figures=figures,
            problems=self._problems,
        )


def with_recovery(
    outcomes: Sequence[Outcome], log: Sequence[Entry], began_at: float
) -> list[Outcome]:
    """Say how long each fault kept a partition: from its end until something of the slowest
    partition was written.
    """
    times: dict[tuple[str, int], list[float]] = defaultdict(list)
    for entry in log:
        times[entry.topic, entry.partition].append(entry.at - began_at)
    outcomes_with_times = []
    for outcome in sorted(outcomes, key=lambda each: each.started):
        waits = []
        for moments in times.values():
            position = bisect_right(moments, outcome.ended)
            if position < len(moments):
                waits.append(moments[position] - outcome.ended)
        recovered_in = max(waits, default=None)
        outcomes_with_times.append(
            Outcome(
                fault=outcome.fault,
                started=outcome.started,
                ended=outcome.ended,
                in_flight=outcome.in_flight,
                recovered_in=recovered_in,
            )
        )
    return outcomes_with_times


def run_delivery(settings: Settings) -> Report:
    """With a Kafka of its own, which ends with the run."""
    with engines(settings.folder / f"kafka-{uuid4().hex[:6]}") as kafka:
        kafka.start("kafka")
        return asyncio.run(DeliveryRun(settings, kafka).run())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--actions", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--variant", choices=[doubles.OURS, *doubles.VARIANTS], default="ours")
    parser.add_argument("--bug", choices=sorted(seeded_bugs.BY_NAME))
    parser.add_argument("--patience", type=float, default=180.0)
    parser.add_argument("--folder", type=Path, default=Path(".gyre/faults"))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    settings = Settings(
        seed=options.seed,
        actions=options.actions,
        kills=options.kills,
        folder=options.folder.resolve(),
        variant=options.variant,
        bug=options.bug,
        patience=options.patience,
    )
    sys.stdout.write(printed(settings.seed, settings.faults, NOT_RUN) + "\n")
    sys.stdout.flush()
    report = run_delivery(settings)
    path = report.write(settings.folder / f"delivery-{settings.seed}")
    sys.stdout.write(f"\n{report.verdict}\n")
    sys.stdout.writelines(f"{problem}\n" for problem in report.problems)
    sys.stdout.writelines(f"{name}: {value}\n" for name, value in report.figures.items())
    sys.stdout.write(f"report: {path}\n")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
