"""What the demonstration found, for people and for programs."""

from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gyre_cli.commands.runs import gate_table
from gyre_cli.demo.costs import in_words
from gyre_cli.demo.second_act_table import act_json, act_page
from gyre_cli.demo.story import DemoResult
from gyre_cli.output import Json, plain, table

_SLICES = {
    "all": "all",
    "voted": "documents that the crowd voted up",
    "new": "documents that nobody voted up",
}


def outcome_json(result: DemoResult) -> dict[str, Json]:
    """Everything; nDCG between 0 and 1, the run with its gate's report."""
    tally = result.tally
    return {
        "tenant": result.tenant,
        "size": result.size,
        "documents": result.documents,
        "crowd": {
            "asked": tally.questions,
            "found": tally.hits,
            "ups": tally.ups,
            "downs": tally.downs,
            "wrong": tally.wrong,
            "clicks": tally.clicks,
            "documents_voted_up": len(tally.liked),
        },
        "run": plain(result.run),
        "run_cpu_minutes": dict(result.run_cpu_minutes),
        "released": result.released,
        "quality": {
            name: {**asdict(one), "gain": one.gain} if one else None
            for name, one in result.quality.items()
        },
        "last_vote_to_live_seconds": result.last_vote_to_live_seconds,
        "rollback": asdict(result.rollback) if result.rollback else None,
        "ranking_as_before": result.rankings_as_before,
        "rankings_compared": result.rankings_compared,
        "promotion": asdict(result.promotion) if result.promotion else None,
        "second_act": act_json(result.second_act) if result.second_act else None,
        "seconds": result.seconds,
        "cpu_minutes": result.cpu_minutes,
    }


def outcome_page(result: DemoResult) -> Group:
    """The tables, and what to do next."""
    tally = result.tally
    parts: list[RenderableType] = [
        f"{result.documents} generated documents in tenant {result.tenant}. The crowd asked "
        f"{tally.questions} questions, was shown a right passage for {tally.hits}, and gave "
        f"{tally.votes} votes ({tally.ups} up, {tally.downs} down, {tally.wrong} of them wrong) "
        f"and {tally.clicks} clicks.\n"
    ]
    if result.run.HasField("verdict"):
        parts += [Text("The gate, on held-out questions of the crowd", style="bold")]
        parts += [gate_table(result.run.verdict), ""]
    if result.run.state != "released":
        parts.append(Text(f"not released: {result.run.message}", style="bold red"))
    else:
        parts += [
            Text("Quality before and after, on questions that nobody asked before", style="bold"),
            _quality(result),
            Text(
                "nDCG@10 × 100 of the whole retrieval against the known right document; the corpus "
                "is generated to show transfer, so the size of the gain says nothing of yours\n",
                style="dim",
            ),
            _times(result),
            _next(result),
        ]
    if result.second_act is not None:
        title = Text("\nThe second act: answers that learn", style="bold underline")
        parts += [title, act_page(result.second_act, result.tenant)]
    cpu_time = "" if result.cpu_minutes is None else f", {result.cpu_minutes:.1f} CPU-minutes"
    minutes = result.seconds["total"] / 60
    return Group(*parts, f"\nin all {minutes:.1f} min{cpu_time}, size {result.size}")


def _quality(result: DemoResult) -> Table:
    numbers = ("QUESTIONS", "BEFORE", "AFTER", "GAIN")
    rows = table("QUESTIONS ABOUT", *numbers, "95 % INTERVAL", right=numbers)
    for name, one in result.quality.items():
        if one is not None:
            rows.add_row(
                _SLICES[name],
                str(one.questions),
                f"{100 * one.before:.1f}",
                f"{100 * one.after:.1f}",
                f"{100 * one.gain:+.1f}",
                f"{100 * one.low:+.1f} to {100 * one.high:+.1f}",
            )
    return rows


def _times(result: DemoResult) -> Table:
    assert result.rollback is not None
    assert result.promotion is not None
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_row("last vote → live", f"{result.last_vote_to_live_seconds:.0f} s")
    if result.run_cpu_minutes:
        rows.add_row("CPU-minutes of the run", in_words(result.run_cpu_minutes))
    rows.add_row(
        "rollback → served",
        f"{result.rollback.seconds:.2f} s; the ranking is as before for "
        f"{result.rankings_as_before} of {result.rankings_compared} questions",
    )
    rows.add_row("promoted again → served", f"{result.promotion.seconds:.2f} s")
    return rows


def _next(result: DemoResult) -> str:
    here = f"--tenant {result.tenant}"
    return (
        f"\n{result.run.version} is live for tenant {result.tenant}; yours is untouched.\n"
        f"see it        gyre releases query-encoder {here}\n"
        f"the run       gyre runs {result.run.run_id} {here}\n"
        f"take it back  gyre rollback query-encoder {here}"
    )
