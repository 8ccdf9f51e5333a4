"""`gyre demo`: the whole loop on a generated corpus: votes, training, gate, release, and back."""

from typing import Annotated

import typer
from typer import Option

from gyre_cli.command import Cli, command


@command
def demo(
    cli: Cli,
    short: Annotated[
        bool, Option("--short", help="A smaller corpus and crowd: a few minutes less.")
    ] = False,
    skip_generator: Annotated[
        bool, Option("--skip-generator", help="Leave out the second act: answers that learn.")
    ] = False,
) -> None:
    """Show the whole loop, from generated documents to a release and back, twice.

    First a simulated crowd votes on passages, and retrieval learns. Then it corrects answers, and a
    language model learns to answer. Training, gate, release and the way back follow each time.

    It works in a tenant of its own (demo, demo-2, …), so yours stays as it is. Ctrl-C stops it and
    the training that it began; the system goes on serving.
    """
    # Slow to import, for a command that nobody else has to wait for.
    from gyre_cli.demo.corpus import FULL, SHORT
    from gyre_cli.demo.story import run_demo
    from gyre_cli.demo.table import outcome_json, outcome_page

    outcome = cli.run(
        lambda gyre: run_demo(cli, gyre, SHORT if short else FULL, generator=not skip_generator)
    )
    cli.out.result(outcome_json(outcome), lambda: outcome_page(outcome))
    if not outcome.released:
        raise typer.Exit(1)
