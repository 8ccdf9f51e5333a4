"""The fault run over a whole system: clients at work, faults by a schedule, and a verdict.

`python -m tests.faults.harness.system_run --seed 7 --actions 1500 --kills 15` starts a system of
its own and leaves report, history and logs in the folder that it names. With `--resume FOLDER` a
run that was broken off goes on where it was.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

# Children are forked while gRPC's threads are at work, as the supervisor's are.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from gyre_client import Addresses, AsyncClient
from gyre_local.errors import LocalError
from gyre_local.ports import SERVICES, Ports
from gyre_local.testing import reserved_offset

from tests.faults.harness.backlog import Backlog
from tests.faults.harness.history import HistoryWriter, read_history
from tests.faults.harness.injection import ENGINES, Injector, possible
from tests.faults.harness.own_system import OwnSystem, own_system
from tests.faults.harness.report import Outcome, Progress, Report
from tests.faults.harness.schedule import Fault, FaultKind, printed, schedule
from tests.faults.harness.stores import Contents, judged, read_contents
from tests.faults.harness.workload import Customers

_HISTORY, _OUTCOMES, _PLAN = "history.jsonl", "outcomes.jsonl", "plan.json"
_SLACK = 0.02
"""The share of the work by which clients may be ahead of the next fault."""

_SETTLED_WITHIN = 600.0
_SETTLED_LOOKS = 3
_KILLS_OF_EACH = 3


@dataclass(frozen=True)
class Wanted:
    """What is run; a run that goes on is held to it."""

    seed: int
    actions: int
    kills: int


class Run:
    """One run, or one part of it, in a folder."""

    def __init__(self, wanted: Wanted, folder: Path, ports: Ports) -> None:
        self._wanted = wanted
        self._folder = folder
        self._ports = ports
        self._possible = possible(wanted.kills)
        self._faults = schedule(wanted.seed, wanted.actions, self._possible.plans)
        self._outcomes = _read_outcomes(folder / _OUTCOMES)
        self._progress = Progress(wanted.actions)

    async def run(self) -> Report:
        """Raises LocalError: the system does not start."""
        for line in printed(self._wanted.seed, self._faults, self._possible.not_run).splitlines():
            self._progress.say(line)
        began = time.monotonic()
        past = read_history([p for p in (self._folder / _HISTORY,) if p.exists()])
        async with own_system(self._folder / "home", self._ports) as system:
            backlog = Backlog(self._ports.kafka_servers)
            watching = asyncio.create_task(backlog.watch())
            addresses = Addresses.on("127.0.0.1", port_offset=self._ports.offset)
            async with AsyncClient(addresses) as client:
                with HistoryWriter(self._folder / _HISTORY) as history:
                    gateway = f"http://127.0.0.1:{self._ports.http}"
                    customers = Customers(
                        client, gateway, history, self._wanted.seed, self._wanted.actions
                    )
                    customers.go_on_after(past)
                    await customers.register_versions()
                    await self._under_faults(system, customers, backlog, began)
                worked = time.monotonic() - began
                settled_in = await self._settle(backlog)
            acts = read_history([self._folder / _HISTORY])
            contents = await read_contents(system, acts)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        verdict = judged(acts, contents, backlog.commits)
        return Report(
            title="Fault run over the whole system",
            command=f"python -m tests.faults.harness.system_run {_arguments(self._wanted)}",
            seed=self._wanted.seed,
            seconds=time.monotonic() - began,
            verdict=verdict,
            outcomes=self._outcomes,
            not_run=self._possible.not_run,
            figures=_figures(customers, contents, worked, settled_in),
            problems=[
                *customers.refused,
                *_problems(self._outcomes, self._wanted.kills),
                *([] if settled_in is not None else [f"not settled: {dict(backlog.behind)}"]),
                *_parked(contents),
            ],
        )

    async def _under_faults(
        self, system: OwnSystem, customers: Customers, backlog: Backlog, began: float
    ) -> None:
        injector = Injector(system, customers, backlog, began)
        actions = self._wanted.actions
        working = asyncio.create_task(customers.work())
        try:
            for fault in self._faults[len(self._outcomes) :]:
                customers.may_begin = max(customers.may_begin, fault.at / actions + _SLACK)
                while customers.actions < fault.at and not working.done():
                    self._progress.show(customers.actions, len(self._outcomes))
                    await asyncio.sleep(0.05)
                self._note(await injector.inject(fault))
            customers.may_begin = 1.0
            while not working.done():
                self._progress.show(customers.actions, len(self._outcomes))
                await asyncio.sleep(0.2)
            await working
        finally:
            working.cancel()

    def _note(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        with (self._folder / _OUTCOMES).open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
        recovered = outcome.recovered_in
        after = "never got on" if recovered is None else f"got on after {recovered:.1f} s"
        fault = outcome.fault
        self._progress.say(
            f"{outcome.started:7.1f} s  {fault.kind} {fault.target}: {outcome.in_flight} in "
            f"flight, {after}"
        )

    async def _settle(self, backlog: Backlog) -> float | None:
        """Seconds until nothing was behind, looked at a few times; None where that never was."""
        began, looks = time.monotonic(), 0
        while time.monotonic() - began < _SETTLED_WITHIN:
            behind = await backlog.look()
            looks = looks + 1 if behind and not sum(behind.values()) else 0
            if looks == _SETTLED_LOOKS:
                return time.monotonic() - began
            await asyncio.sleep(1)
        return None


def _arguments(wanted: Wanted) -> str:
    return f"--seed {wanted.seed} --actions {wanted.actions} --kills {wanted.kills}"


def _figures(
    customers: Customers, contents: Contents, worked: float, settled_in: float | None
) -> dict[str, str]:
    done = customers.acknowledged
    again = sum(count - 1 for count in Counter(contents.facts).values())
    errors = sorted(customers.errors.items())
    return {
        "documents, answers, votes, releases": " / ".join(
            str(done[name]) for name in ("documents", "answers", "votes", "releases")
        ),
        "actions a second": f"{customers.actions / worked:.1f}",
        "settled after": "never" if settled_in is None else f"{settled_in:.0f} s",
        "records in the dead letters": str(contents.parked_records),
        "votes that Kafka has twice (one id, joined once)": str(again),
        "calls tried again": ", ".join(f"{name} {count}" for name, count in errors) or "none",
    }


def _problems(outcomes: Sequence[Outcome], kills: int) -> list[str]:
    idle = [one for one in outcomes if not one.in_flight and one.fault.kind is FaultKind.KILL]
    stuck = [one for one in outcomes if one.recovered_in is None]
    problems = [f"{one.fault} came with no work in flight" for one in idle]
    problems += [f"the system did not get on after {one.fault}" for one in stuck]
    killed = Counter(one.fault.target for one in outcomes if one.fault.kind is FaultKind.KILL)
    everybody = (*SERVICES, *ENGINES)
    if kills >= _KILLS_OF_EACH * len(everybody):
        problems += [
            f"{target} was killed {killed[target]} times"
            for target in everybody
            if killed[target] < _KILLS_OF_EACH
        ]
    return problems


def _parked(contents: Contents) -> list[str]:
    if not contents.parked_records:
        return []
    return [f"{contents.parked_records} records are in the dead letters, of good events"]


def _read_outcomes(path: Path) -> list[Outcome]:
    if not path.exists():
        return []
    outcomes = []
    for line in path.read_text().splitlines():
        values = json.loads(line)
        fault = values.pop("fault")
        kind = FaultKind(fault.pop("kind"))
        outcomes.append(Outcome(fault=Fault(kind=kind, **fault), **values))
    return outcomes


def _wanted(arguments: argparse.Namespace, folder: Path) -> Wanted:
    """What was wanted of the run that goes on, or what is now."""
    path = folder / _PLAN
    if path.exists():
        return Wanted(**json.loads(path.read_text()))
    wanted = Wanted(arguments.seed, arguments.actions, arguments.kills)
    path.write_text(json.dumps(asdict(wanted)))
    return wanted


def main() -> None:
    """Exits with 1 where something is broken."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # Kafka is away by intention
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.harness.system_run", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--actions", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--port-offset", type=int, help="free ports are looked for without it")
    usual = Path(".gyre/faults", time.strftime("system-%Y%m%d-%H%M%S"))
    parser.add_argument("--folder", type=Path, default=usual, help=f"by default {usual}")
    parser.add_argument("--resume", type=Path, help="the folder of a run that was broken off")
    arguments = parser.parse_args()
    folder = (arguments.resume or arguments.folder).absolute()
    if arguments.resume and not (folder / _PLAN).exists():
        parser.error(f"--resume: no run lies in {folder}")
    if not arguments.resume and (folder / _PLAN).exists():
        parser.error(f"--folder: a run lies in {folder}: remove it, or go on with --resume")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = _wanted(arguments, folder)
    named = arguments.port_offset
    try:
        with reserved_offset() if named is None else nullcontext(named) as offset:
            report = asyncio.run(Run(wanted, folder, Ports(offset)).run())
    except TimeoutError:
        sys.exit("error: the system is not ready in time: see its logs")
    except LocalError as error:
        sys.exit(f"error: {error}")
    path = report.write(folder)
    sys.stdout.write(f"{report.verdict}\n")
    sys.stdout.writelines(f"problem: {problem}\n" for problem in report.problems)
    sys.stdout.write(f"{'passed' if report.passed else 'BROKEN'}: {path}\n")
    sys.exit(0 if report.passed else 1)


if __name__ == "__main__":
    main()
