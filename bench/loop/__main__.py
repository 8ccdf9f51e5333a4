"""The loop on a corpus in BEIR's layout: what votes on its train questions are worth on others.

    python -m bench.loop [--folder PATH] [--home DIR] [--wrong 0.1] [--passes 2] [--profile default]

The demonstration's crowd asks the train questions and votes on what it is shown; the run trains,
the gate decides; then, once, quality on the dev questions: zero-shot with weights tuned on train
against the trained version with the weights fitted to it, also where the gate refused it. Without
--home a system of its own is started. In a running one the tenant (--tenant) must be one that has
not learned yet: its votes and its encoder would count in the next round.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from gyre.trainer.v1 import trainer_pb2
from gyre_cli.command import Cli
from gyre_cli.commands.runs import begin
from gyre_cli.demo.corpus import Document
from gyre_cli.demo.costs import cpu_seconds
from gyre_cli.demo.crowd import Crowd, Habits
from gyre_cli.demo.measures import compare, slices
from gyre_cli.demo.stages import Stages
from gyre_cli.demo.story import ACTOR, explore, submit, until_live
from gyre_cli.output import Output
from gyre_cli.settings import settings_for
from gyre_client import AsyncClient, NotFound
from gyre_common.events.releases import Roles

from bench.loop.beir import demo_documents, demo_questions
from bench.loop.tables import report, show
from bench.loop.weights import tune_weights, with_versions
from bench.own_system import own_system
from bench.report import data_folder

OFFSET = 11_000
SEED = 20


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    folder: Path
    guard: Path | None
    guard_split: str
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
    folder = options.folder
    caller = replace(cli.settings.caller, actor=ACTOR)
    async with AsyncClient(cli.settings.addresses, caller) as system:
        await check_fresh(system)
        await submit_corpus(system, demo_documents(folder), folder.name, stages)
        train, dev = demo_questions(folder, "train"), demo_questions(folder, "dev")
        with stages.clock("tuning zero-shot on train"):
            share, best_version = await tune_weights(system, train)
        versions = {"query-encoder": await live(system, Roles.QUERY_ENCODER)}
        cpu_before = cpu_seconds(home) or 0.0
        await explore(system)
        crowd = Crowd(system, habits=Habits(wrong=options.wrong), seed=SEED)
        with stages.stage("the crowd asks and votes", len(train) * options.passes) as show_done:
            tally = await crowd.ask(train, show_done, passes=options.passes)
        crowd_seconds = (cpu_seconds(home) or 0.0) - cpu_before
        trained_run = await run_training(cli, system, options, stages)
        seconds_to_live = None
        if trained_run.state == "released":
            await until_live(system)
            seconds_to_live = time.monotonic() - tally.last_word_at
        total_seconds = (cpu_seconds(home) or 0.0) - cpu_before
        report(
            options.wrong, share, tally, trained_run, seconds_to_live, crowd_seconds, total_seconds
        )
        if not trained_run.version:
            return
        after = {
            "query-encoder": trained_run.version,
            "retrieval": await register_fitted_weights(system, trained_run.version),
        }
        before = {**versions, "retrieval": best_version}
        with stages.clock("measuring dev"):
            both = [await with_versions(system, dev, each) for each in (before, after)]
        rows = {
            name: compare(some, both[0], both[1]) for name, some in slices(dev, tally.liked).items()
        }
        show(rows)
        if options.guard is not None:
            await guard(system, options, before, after, stages)


async def submit_corpus(
    system: AsyncClient, documents: Sequence[Document], name: str, stages: Stages
) -> None:
    """Submits a corpus, unless its last document is there."""
    try:
        await system.documents.get(documents[-1].document_id)
    except NotFound:
        with stages.stage(f"submitting {name}", len(documents)) as show_done:
            await submit(system, documents, show_done)


async def check_fresh(system: AsyncClient) -> None:
    """Ends the program when the tenant has votes or an encoder from a round before."""
    tenant = system.caller.tenant
    if any(run.tenant == tenant for run in await system.runs.list()):
        raise SystemExit(
            f"error: tenant {tenant} has been through a round, and would not begin at "
            "zero-shot: name another with --tenant, or a --home of its own"
        )


async def live(system: AsyncClient, role: str) -> str:
    """The version that serves the tenant."""
    return (await system.releases.list(role))[role].live


async def register_fitted_weights(system: AsyncClient, encoder: str) -> str:
    """The retrieval version that was fitted to an encoder; the live one where there is none."""
    release = (await system.releases.list(Roles.RETRIEVAL))[Roles.RETRIEVAL]
    fitting = [one.version for one in release.artifacts if one.fits == encoder]
    return fitting[-1] if fitting else release.live


async def run_training(
    cli: Cli, system: AsyncClient, options: Options, stages: Stages
) -> trainer_pb2.Run:
    """A run to its end, whatever it is."""
    with stages.clock("training and gate"):
        started_run = await begin(
            cli,
            system,
            profile=options.profile,
            tenant=system.caller.tenant,
            reason="bench.loop",
        )
        return await system.runs.follow(started_run.run_id)


async def guard(
    system: AsyncClient,
    options: Options,
    before: Mapping[str, str],
    after: Mapping[str, str],
    stages: Stages,
) -> None:
    """What the same versions do to a corpus that nobody voted on, searched by itself."""
    assert options.guard is not None
    folder = options.guard
    questions = demo_questions(folder, options.guard_split or folder.name)
    relevant_ids = {key for question in questions for key in question.relevant}
    by_relevance = sorted(
        demo_documents(folder), key=lambda document: document.document_id not in relevant_ids
    )
    documents = by_relevance[: options.guard_documents]
    await submit_corpus(system, documents, folder.name, stages)
    names = [document.document_id for document in documents]
    both = [await with_versions(system, questions, each, names) for each in (before, after)]
    print(f"\n{folder.name}: another corpus ({len(documents)} documents), the same versions")
    show({"all": compare(questions, both[0], both[1])})


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None, help="in BEIR's layout [SciFact]")
    parser.add_argument("--guard", default="", help="glossary, or another BEIR folder's name")
    parser.add_argument("--guard-split", default="", help="its questions [the folder's name]")
    parser.add_argument("--guard-documents", type=int, default=600)
    parser.add_argument("--home", type=Path, default=None, help="of a running system")
    parser.add_argument("--tenant", default="bench-loop")
    parser.add_argument("--wrong", type=float, default=0.1, help="share of wrong votes")
    parser.add_argument("--passes", type=int, default=2, help="how often each question is asked")
    parser.add_argument("--profile", default="default")
    arguments = parser.parse_args()
    arguments.folder = arguments.folder or data_folder("scifact")
    arguments.guard = data_folder(arguments.guard) if arguments.guard else None
    options = Options(**vars(arguments))
    with nullcontext(options.home) if options.home else own_system(OFFSET) as home:
        asyncio.run(run(options, home))


if __name__ == "__main__":
    main()
