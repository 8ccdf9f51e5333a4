"""What the demonstration found, for people and for programs."""

from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from gyre_cli.demo.measures import Comparison
from gyre_cli.demo.story import Outcome
from gyre_cli.output import Json, table
from gyre_cli.run_view import gate_table, run_json

_SLICES = {
    "all": "all",
    "voted": "documents that the crowd voted up",
    "new": "documents that nobody voted up",
}


def outcome_json(outcome: Outcome) -> dict[str, Json]:
    """Everything; nDCG between 0 and 1, the run with its gate's report."""
    tally = outcome.tally
    return {
        "tenant": outcome.tenant,
        "size": outcome.size,
        "documents": outcome.documents,
        "crowd": {
            "asked": tally.asked,
            "found": tally.found,
            "ups": tally.ups,
            "downs": tally.downs,
            "wrong": tally.wrong,
            "clicks": tally.clicks,
            "documents_voted_up": len(tally.liked),
        },
        "run": run_json(outcome.run),
        "released": outcome.released,
        "quality": {name: _comparison(one) for name, one in outcome.quality.items()},
        "last_vote_to_live_seconds": outcome.last_vote_to_live_seconds,
        "rollback": asdict(outcome.rollback) if outcome.rollback else None,
        "ranking_as_before": outcome.back_as_before,
        "rankings_compared": outcome.measured,
        "promotion": asdict(outcome.promotion) if outcome.promotion else None,
        "seconds": outcome.seconds,
        "cpu_minutes": outcome.cpu_minutes,
    }


def outcome_page(outcome: Outcome) -> RenderableType:
    """The tables, and what to do next."""
    parts: list[RenderableType] = [Text(_crowd_told(outcome)), Text("")]
    if outcome.run.HasField("verdict"):
        parts += [Text("The gate, on held-out questions of the crowd", style="bold")]
        parts += [gate_table(outcome.run.verdict), Text("")]
    if not outcome.released:
        return Group(*parts, Text(f"not released: {outcome.run.message}", style="bold red"))
    return Group(
        *parts,
        Text("Quality before and after, on questions that nobody asked before", style="bold"),
        _quality(outcome),
        Text(
            "nDCG@10 × 100 of the whole retrieval against the known right document; the corpus is "
            "generated to show transfer, so the size of the gain says nothing of yours\n",
            style="dim",
        ),
        _times(outcome),
        Text(_next(outcome)),
    )


def _crowd_told(outcome: Outcome) -> str:
    tally = outcome.tally
    return (
        f"{outcome.documents} generated documents in tenant {outcome.tenant}. The crowd asked "
        f"{tally.asked} questions, was shown a right passage for {tally.found}, and gave "
        f"{tally.votes} votes ({tally.ups} up, {tally.downs} down, {tally.wrong} of them wrong) "
        f"and {tally.clicks} clicks."
    )


def _quality(outcome: Outcome) -> RenderableType:
    numbers = ("QUESTIONS", "BEFORE", "AFTER", "GAIN")
    rows = table("QUESTIONS ABOUT", *numbers, "95 % INTERVAL", right=numbers)
    for name, one in outcome.quality.items():
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


def _times(outcome: Outcome) -> RenderableType:
    assert outcome.rollback is not None
    assert outcome.promotion is not None
    rows = table("", "")
    rows.show_header = False
    rows.add_row("last vote → live", f"{outcome.last_vote_to_live_seconds:.0f} s")
    rows.add_row(
        "rollback → served",
        f"{outcome.rollback.seconds:.2f} s; the ranking is as before for "
        f"{outcome.back_as_before} of {outcome.measured} questions",
    )
    rows.add_row("promoted again → served", f"{outcome.promotion.seconds:.2f} s")
    spent = "" if outcome.cpu_minutes is None else f", {outcome.cpu_minutes:.1f} CPU-minutes"
    rows.add_row("in all", f"{outcome.seconds['total'] / 60:.1f} min{spent}")
    return rows


def _next(outcome: Outcome) -> str:
    here = f"--tenant {outcome.tenant}"
    return (
        f"\n{outcome.run.version} is live for tenant {outcome.tenant}; yours is untouched.\n"
        f"see it        gyre releases query-encoder {here}\n"
        f"the run       gyre runs {outcome.run.run_id} {here}\n"
        f"take it back  gyre rollback query-encoder {here}"
    )


def _comparison(one: Comparison | None) -> Json:
    return None if one is None else {**asdict(one), "gain": one.gain}
