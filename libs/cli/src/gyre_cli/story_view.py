"""One answer's story as a page: asked, found, said, judged, and how long each part took."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gyre_common.passages import context_line
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gyre_cli.output import Json, table

Story = Mapping[str, Any]

_BAR = 30
_SNIPPET = 160
_STAGES_FIRST = ("bm25", "dense", "fused")


def story_page(story: Mapping[str, Json]) -> RenderableType:
    """Everything that `gyre explain` knows, in the order in which it happened."""
    return Group(*_parts(story))


def _parts(story: Story) -> Iterator[RenderableType]:
    yield _facts(story)
    yield from _section("Retrieved", _retrieved(story["retrieved"]), story["retrieved"])
    yield from _section("Prompt", Text(story["prompt"], style="dim"), story["prompt"])
    yield from _section("Answer", Text(story["answer"]), story["answer"])
    yield from _section("Citations", _citations(story), story["citations"])
    yield from _section("Guardrails", _guardrails(story["guardrails"]), story["guardrails"])
    yield from _section("Time", _latency(story["latency_ms"]), story["latency_ms"])
    verdicts: RenderableType = Text("not judged yet", style="dim")
    if story["verdicts"]:
        verdicts = _verdicts(story["verdicts"])
    yield from _section("Verdicts", verdicts)
    feedback: RenderableType = Text("nobody has voted yet", style="dim")
    if story["feedback"]:
        feedback = _feedback(story["feedback"])
    yield from _section("Votes", feedback)


def _section(title: str, body: RenderableType, content: object = True) -> Iterator[RenderableType]:
    if content:
        yield Text(f"\n{title}", style="bold")
        yield Padding(body, (0, 0, 0, 2), expand=False)


def _facts(story: Story) -> Table:
    tokens = f"{story['prompt_tokens']} read, {story['completion_tokens']} written"
    about = " (estimated)" if story["tokens_estimated"] else ""
    facts = {
        "Question": story["question"],
        "Outcome": f"{story['outcome']} {story['error']}".strip(),
        "Asked": story["started_at"],
        "Tenant": story["tenant"],
        "Groups": ", ".join(story["acl"]),
        "Conversation": story["conversation_id"],
        "Trace": story["trace_id"],
        "Versions": _pairs(story["versions"]),
        "Arms": _pairs(story["arms"]),
        "Fallbacks": ", ".join(story["fallbacks"]),
        "Tokens": tokens + about,
        "Cost": f"${story['cost_usd']:.6f}" if story["cost_usd"] else "nothing",
    }
    rows = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            rows.add_row(Text(name, style="bold"), Text(value))
    return rows


def _retrieved(chunks: Sequence[Story]) -> Table:
    present = {stage for chunk in chunks for stage in chunk["scores"]}
    stages = sorted(present, key=lambda stage: (stage not in _STAGES_FIRST, stage))
    columns = ["#", "USED", *(stage.upper() for stage in stages), "PASSAGE"]
    rows = table(*columns, right=("#", *(stage.upper() for stage in stages)))
    for chunk in chunks:
        place = context_line(chunk["title"] or chunk["document_id"], chunk["heading_path"])
        passage = Text(place, style="bold" if chunk["used"] else "dim")
        if chunk["explored"]:
            passage.append(f" explored, shown {chunk['propensity']:.0%} of the time", style="cyan")
        passage.append(f"\n{_snippet(chunk['text'])}", style="dim")
        rows.add_row(
            str(chunk["rank"]),
            Text("yes" if chunk["used"] else "no", style="green" if chunk["used"] else "dim"),
            *(_score(chunk["scores"].get(stage)) for stage in stages),
            passage,
        )
    return rows


def _citations(story: Story) -> Table:
    rows = table("ANSWER", "RESTS ON", wrapped=("ANSWER",))
    texts = {chunk["chunk_id"]: chunk["text"] for chunk in story["retrieved"]}
    for cited in story["citations"]:
        passage = texts.get(cited["chunk_id"], "")[cited["chunk_start"] : cited["chunk_end"]]
        rests_on = Text(cited["title"] or cited["document_id"], style="bold")
        rests_on.append(f" “{_snippet(passage)}”", style="dim")
        rows.add_row(Text(_snippet(story["answer"][cited["start"] : cited["end"]])), rests_on)
    return rows


def _guardrails(guardrails: Sequence[Story]) -> Table:
    rows = Table.grid(padding=(0, 2))
    for one in guardrails:
        passed = Text("passed", style="green") if one["passed"] else Text("stopped", style="red")
        rows.add_row(one["name"], passed, Text(one["detail"], style="dim"))
    return rows


def _latency(latency: Mapping[str, float]) -> Table:
    longest = latency.get("total") or max(latency.values(), default=0.0) or 1.0
    rows = Table.grid(padding=(0, 2))
    for stage, milliseconds in sorted(
        latency.items(), key=lambda item: (item[0] == "total", -item[1])
    ):
        bar = Bar(size=longest, begin=0, end=milliseconds, width=_BAR, color="cyan")
        rows.add_row(stage, Text(f"{milliseconds:.1f} ms", justify="right"), bar)
    return rows


def _verdicts(verdicts: Sequence[Story]) -> Table:
    rows = table("METRIC", "SCORE", "JUDGE", "WHY", right=("SCORE",))
    for one in verdicts:
        value = "–" if one["value"] is None else f"{one['value']:.2f}"
        rows.add_row(one["metric"], value, one["judge_version"], Text(one["rationale"]))
    return rows


def _feedback(feedback: Sequence[Story]) -> Table:
    rows = table("WHEN", "WHO", "WHAT", "TARGET", "WORDS")
    for one in feedback:
        text = one["comment"] if one["kind"] != "correction" else one["value"]
        what = one["kind"] if one["kind"] == "correction" else f"{one['kind']} {one['value']}"
        rows.add_row(one["received_at"][:19], one["actor"], what, one["target"], Text(text))
    return rows


def _pairs(mapping: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(mapping.items()))


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _snippet(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SNIPPET else line[: _SNIPPET - 1] + "…"
