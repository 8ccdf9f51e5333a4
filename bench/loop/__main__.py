"""The loop on a corpus in BEIR's layout: what votes on its train questions are worth on others.

    python -m bench.loop [--folder PATH] [--home DIR] [--wrong 0.1] [--passes 1] [--profile default]

The demonstration's crowd asks the train questions and votes on what it is shown; the run trains,
the gate decides; then, once, quality on the dev questions: zero-shot with weights tuned on train
against the trained version with the weights fitted to it, also where the gate refused it. Without
--home a system of its own is started; a running one keeps the corpus for the next round (--tenant).
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gyre.trainer.v1 import trainer_pb2
from gyre_cli.command import Cli
from gyre_cli.demo.crowd import Crowd, Habits, Tally
from gyre_cli.demo.measures import Comparison, compare, slices
from gyre_cli.demo.releasing import ACTOR, explore, live_is
from gyre_cli.demo.stages import Stages
from gyre_cli.demo.story import submit
from gyre_cli.demo.system import System, cpu_seconds, opened
from gyre_cli.output import Output
from gyre_cli.release_calls import listed
from gyre_cli.run_calls import begin, follow
from gyre_cli.run_view import gate_table, report_of
from gyre_cli.settings import settings_for
from gyre_common.events.releases import Roles
from rich.console import Console

from bench.loop.beir import Folder
from bench.loop.weights import tuned, with_versions
from bench.report import data_folder, machine, table

OFFSET = 11_000
GYRE = str(Path(sys.executable).parent / "gyre")
SEED = 20


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    folder: Path
    guard: Path | None
    guard_documents: int
    home: Path | None
    tenant: str
    wrong: float
    passes: int
    profile: str


async def run(options: Options, home: Path) -> None:
    """One round; prints its tables."""
    cli = Cli(settings_for(home=home, tenant=options.tenant), Output(as_json=False))
    stages = Stages(cli.out)
    folder = Folder(options.folder)
    async with opened(cli.settings, options.tenant) as system:
        await indexed(system, folder, stages)
        train, dev = folder.questions("train"), folder.questions("dev")
        with stages.clock("tuning zero-shot on train"):
            share, best_version = await tuned(system, train)
        versions = {"query-encoder": await live(system, Roles.QUERY_ENCODER)}
        spent = cpu_seconds(home) or 0.0
        await explore(system)
        crowd = Crowd(
            system.generator, system.feedback, habits=Habits(wrong=options.wrong), seed=SEED
        )
        with stages.stage("the crowd asks and votes", len(train) * options.passes) as bar:
            tally = await crowd.ask(train, lambda seen: bar.at(seen.asked), passes=options.passes)
        asked = (cpu_seconds(home) or 0.0) - spent
        ended = await trained(cli, system, options, stages)
        taken = None
        if ended.state == "released":
            await live_is(system, ended.version)
            taken = time.monotonic() - tally.last_word_at
        spent = (cpu_seconds(home) or 0.0) - spent
        report(options, share, tally, ended, taken, asked, spent)
        if not ended.version:
            return
        after = {"query-encoder": ended.version, "retrieval": await fitted(system, ended.version)}
        before = {**versions, "retrieval": best_version}
        with stages.clock("measuring dev"):
            found = [await with_versions(system, dev, each) for each in (before, after)]
        rows = {
            name: compare(some, found[0], found[1])
            for name, some in slices(dev, tally.liked).items()
        }
        show(rows)
    if options.guard is not None:
        await guard(cli, options, before, after, stages)


async def indexed(system: System, folder: Folder, stages: Stages, most: int | None = None) -> None:
    """Submits the corpus, unless the tenant has one."""
    if await system.has_documents():
        return
    documents = folder.documents()
    if most is not None:
        wanted = {key for q in folder.questions("glossary") for key in q.relevant}
        documents = tuple(sorted(documents, key=lambda d: d.document_id not in wanted)[:most])
    with stages.stage(f"submitting {folder.name}", len(documents)) as bar:
        await submit(system.ingestor, documents, bar)


async def live(system: System, role: str) -> str:
    """The version that serves the tenant."""
    return (await listed(system.trainer, "", role))[role].live


async def fitted(system: System, encoder: str) -> str:
    """The retrieval version that was fitted to an encoder; the live one where there is none."""
    release = (await listed(system.trainer, "", Roles.RETRIEVAL))[Roles.RETRIEVAL]
    fitting = [one.version for one in release.artifacts if one.fits == encoder]
    return fitting[-1] if fitting else release.live


async def trained(cli: Cli, system: System, options: Options, stages: Stages) -> trainer_pb2.Run:
    """A run to its end, whatever it is."""
    request = trainer_pb2.StartRunRequest(
        profile=options.profile, tenant=system.tenant, actor=ACTOR, reason="bench.loop"
    )
    with stages.clock("training and gate"):
        begun = await begin(cli, system.trainer, request)
        return await follow(system.trainer, begun.run_id, lambda _: None)


async def guard(
    cli: Cli, options: Options, before: dict[str, str], after: dict[str, str], stages: Stages
) -> None:
    """What the same versions do to a corpus that nobody voted on."""
    assert options.guard is not None
    folder = Folder(options.guard)
    async with opened(cli.settings, f"{options.tenant}-{folder.name}") as system:
        await indexed(system, folder, stages, options.guard_documents)
        questions = folder.questions(folder.name)
        found = [await with_versions(system, questions, each) for each in (before, after)]
        print(f"\n{folder.name}: another corpus, the same versions")
        show({"all": compare(questions, found[0], found[1])})


def report(
    options: Options,
    share: float,
    tally: Tally,
    ended: trainer_pb2.Run,
    taken: float | None,
    asked: float,
    spent: float,
) -> None:
    """What the crowd did, what the gate said, and what it cost."""
    print(machine())
    print(
        f"{tally.asked} questions, {tally.found} with a right passage shown; {tally.ups} up, "
        f"{tally.downs} down ({tally.wrong} wrong, {options.wrong:.0%} of the votes by design), "
        f"{tally.clicks} clicks; zero-shot's best dense share on train {share:.2f}"
    )
    found = report_of(ended)
    if found:
        Console(width=140).print(gate_table(found))
    print(f"run {ended.state}: {ended.message}")
    live_after = "not released" if taken is None else f"{taken:.0f} s"
    print(
        f"last vote → live: {live_after}; CPU-minutes of the whole system: crowd {asked / 60:.1f}, "
        f"training and gate {(spent - asked) / 60:.1f}\n"
    )


def show(rows: dict[str, Comparison | None]) -> None:
    """nDCG@10 × 100 by slice."""
    print(
        table(
            ("questions about", "n", "before", "after", "gain", "95 % interval"),
            [
                (
                    name,
                    str(one.questions),
                    f"{100 * one.before:.2f}",
                    f"{100 * one.after:.2f}",
                    f"{100 * one.gain:+.2f}",
                    f"{100 * one.low:+.2f} to {100 * one.high:+.2f}",
                )
                for name, one in rows.items()
                if one is not None
            ],
        ),
        flush=True,
    )


@contextmanager
def started() -> Iterator[Path]:
    """A system of its own in a temporary folder."""
    with tempfile.TemporaryDirectory() as home:
        where = ["--home", home, "--port-offset", str(OFFSET)]
        subprocess.run([GYRE, "up", "--detach", *where], check=True)
        try:
            yield Path(home)
        finally:
            subprocess.run([GYRE, "down", "--home", home], check=True)


@contextmanager
def running(home: Path) -> Iterator[Path]:
    """A system that somebody else started, and stops."""
    yield home


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None, help="in BEIR's layout [SciFact]")
    parser.add_argument("--guard", default="", help="glossary, or another BEIR folder's name")
    parser.add_argument("--guard-documents", type=int, default=600)
    parser.add_argument("--home", type=Path, default=None, help="of a running system")
    parser.add_argument("--tenant", default="bench-loop")
    parser.add_argument("--wrong", type=float, default=0.1, help="share of wrong votes")
    parser.add_argument("--passes", type=int, default=1, help="how often each question is asked")
    parser.add_argument("--profile", default="default")
    given = parser.parse_args()
    options = Options(
        given.folder or data_folder("scifact"),
        data_folder(given.guard) if given.guard else None,
        given.guard_documents,
        given.home,
        given.tenant,
        given.wrong,
        given.passes,
        given.profile,
    )
    place: AbstractContextManager[Path] = running(options.home) if options.home else started()
    with place as home:
        asyncio.run(run(options, home))


if __name__ == "__main__":
    main()
