"""What a round of the loop found, as it is printed."""

from collections.abc import Mapping

from gyre.trainer.v1 import trainer_pb2
from gyre_cli.commands.runs import gate_table
from gyre_cli.demo.crowd import CrowdTally
from gyre_cli.demo.measures import QualityComparison
from rich.console import Console

from bench.report import machine, table


def report(
    wrong: float,
    share: float,
    tally: CrowdTally,
    trained_run: trainer_pb2.Run,
    seconds_to_live: float | None,
    crowd_seconds: float,
    all_seconds: float,
) -> None:
    """What the crowd did, what the gate said, and what it cost."""
    print(machine())
    print(
        f"{tally.questions} questions, {tally.hits} with a right passage shown; {tally.ups} up, "
        f"{tally.downs} down ({tally.wrong} wrong, {wrong:.0%} of the votes by design), "
        f"{tally.clicks} clicks; zero-shot's best dense share on train {share:.2f}"
    )
    if trained_run.HasField("verdict"):
        Console(width=140).print(gate_table(trained_run.verdict))
    print(f"run {trained_run.state}: {trained_run.message}")
    live_after = "not released" if seconds_to_live is None else f"{seconds_to_live:.0f} s"
    print(
        f"last vote → live: {live_after}; CPU-minutes of the whole system: "
        f"crowd {crowd_seconds / 60:.1f}, "
        f"training and gate {(all_seconds - crowd_seconds) / 60:.1f}\n"
    )


def show(rows: Mapping[str, QualityComparison | None]) -> None:
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
