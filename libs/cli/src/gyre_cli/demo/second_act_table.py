"""What the second act found, for people and for programs."""

from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gyre_cli.commands.runs import gate_table
from gyre_cli.demo.costs import in_words
from gyre_cli.demo.second_act import SecondAct
from gyre_cli.output import Json, plain, table


def act_json(act: SecondAct) -> dict[str, Json]:
    """Everything; nearness between 0 and 1, the run with its gate's report."""
    return {
        "crowd": asdict(act.tally),
        "run": plain(act.run),
        "run_cpu_minutes": dict(act.run_cpu_minutes),
        "quality": {**asdict(act.quality), "gain": act.quality.gain} if act.quality else None,
        "example": asdict(act.example) if act.example else None,
        "last_correction_to_live_seconds": act.last_correction_to_live_seconds,
        "rollback": asdict(act.rollback) if act.rollback else None,
        "promotion": asdict(act.promotion) if act.promotion else None,
    }


def act_page(act: SecondAct, tenant: str) -> Group:
    """The tables, and what to do next."""
    tally = act.tally
    parts: list[RenderableType] = [
        f"The crowd asked {tally.questions} questions, liked {tally.liked} answers, corrected "
        f'{tally.corrected} and said "not answered here" to {tally.declined}; {tally.wrong} of its '
        "words were wrong.\n"
    ]
    if act.run.HasField("verdict"):
        parts += [Text("The gate, on held-out questions of the crowd", style="bold")]
        parts += [gate_table(act.run.verdict), ""]
    if act.run.state != "released":
        return Group(*parts, Text(f"not released: {act.run.message}", style="bold red"))
    return Group(
        *parts,
        Text("Answers before and after, to questions that nobody corrected", style="bold"),
        _quality(act),
        Text(
            "nearness × 100 to what people would have liked to read: the words that both have "
            "(F1), or declining where the manual has no answer\n",
            style="dim",
        ),
        _examples(act),
        _times(act),
        f"\n{act.run.version} answers tenant {tenant}.\n"
        f"take it back  gyre rollback generator --tenant {tenant}",
    )


def _quality(act: SecondAct) -> Table:
    assert act.quality is not None
    one, numbers = act.quality, ("QUESTIONS", "BEFORE", "AFTER", "GAIN")
    rows = table(*numbers, "95 % INTERVAL", right=numbers)
    rows.add_row(
        str(one.questions),
        f"{100 * one.before:.1f}",
        f"{100 * one.after:.1f}",
        f"{100 * one.gain:+.1f}",
        f"{100 * one.low:+.1f} to {100 * one.high:+.1f}",
    )
    return rows


def _examples(act: SecondAct) -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    if act.example:
        rows.add_row("asked", act.example.question)
        rows.add_row("before", act.example.before)
        rows.add_row("after", act.example.after)
        rows.add_row("", "")
    return rows


def _times(act: SecondAct) -> Table:
    assert act.rollback is not None
    assert act.promotion is not None
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_row("last correction → live", f"{act.last_correction_to_live_seconds:.0f} s")
    if act.run_cpu_minutes:
        rows.add_row("CPU-minutes of the run", in_words(act.run_cpu_minutes))
    rows.add_row("rollback → served", f"{act.rollback.seconds:.2f} s")
    rows.add_row("promoted again → served", f"{act.promotion.seconds:.2f} s")
    return rows
