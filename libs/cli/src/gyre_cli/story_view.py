"""One answer's story as a page: asked, found, said, judged, and how long each part took."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gyre_common.passages import context_line
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gyre_cli.output import Json, shortened, table

Story = Mapping[str, Any]

_BAR = 30
_SNIPPET = 160
_STAGES_FIRST = ("bm25", "dense", "fused")


def story_page(story: Mapping[str, Json]) -> Group:
    """Everything that `gyre explain` knows, in the order in which it happened."""
    return Group(*_parts(story))


def _parts(story: Story) -> Iterator[RenderableType]:
    yield _facts(story)
    sections: dict[str, tuple[object, RenderableType]] = {
        "Retrieved": (story["retrieved"], _retrieved(story["retrieved"])),
        "Prompt": (story["prompt"], Text(story["prompt"], style="dim")),
        "Answer": (story["answer"], story["answer"]),
        "Citations": (story["citations"], _citations(story)),
        "Guardrails": (story["guardrails"], _guardrails(story["guardrails"])),
        "Time": (story["latency_ms"], _latency(story["latency_ms"])),
        "Verdicts": (True, _verdicts(story["verdicts"])),
        "Votes": (True, _feedback(story["feedback"])),
    }
    for title, (content, body) in sections.items():
        if content:
            yield Text(f"\n{title}", style="bold")
            yield Padding(body, (0, 0, 0, 2), expand=False)


def _facts(story: Story) -> Table:
    tokens = f"{story['prompt_tokens']} read, {story['completion_tokens']} written"
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
        "Tokens": f"{tokens} (estimated)" if story["tokens_estimated"] else tokens,
        "Cost": f"${story['cost_usd']:.6f}" if story["cost_usd"] else "nothing",
    }
    return _grid((Text(name, style="bold"), value) for name, value in facts.items() if value)


def _grid(rows: Iterable[tuple[RenderableType, ...]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*row)
    return grid


def _retrieved(chunks: Sequence[Story]) -> Table:
    present = {stage for chunk in chunks for stage in chunk["scores"]}
    stages = sorted(present, key=lambda stage: (stage not in _STAGES_FIRST, stage))
    columns = ["#", "USED", *(stage.upper() for stage in stages), "PASSAGE"]
    rows = table(*columns, right=("#", *(stage.upper() for stage in stages)))
    for chunk in chunks:
        place = context_line(chunk["title"] or chunk["document_id"], chunk["heading_path"])
        place += f", {chunk['position']}" if chunk.get("position") else ""
        passage = Text(place, style="bold" if chunk["used"] else "dim")
        if chunk["explored"]:
            passage.append(f" explored, shown {chunk['propensity']:.0%} of the time", style="cyan")
        passage.append(f"\n{shortened(chunk['text'], _SNIPPET)}", style="dim")
        rows.add_row(
            str(chunk["rank"]),
            Text("yes", style="green") if chunk["used"] else Text("no", style="dim"),
            *(_score(chunk["scores"].get(stage), 3) for stage in stages),
            passage,
        )
    return rows


def _citations(story: Story) -> Table:
    rows = table("ANSWER", "RESTS ON", wrapped=("ANSWER",))
    texts = {chunk["chunk_id"]: chunk["text"] for chunk in story["retrieved"]}
    unsupported = story.get("unsupported_citations", [])
    for number, cited in enumerate(story["citations"]):
        passage = texts.get(cited["chunk_id"], "")[cited["chunk_start"] : cited["chunk_end"]]
        rests_on = Text(cited["title"] or cited["document_id"], style="bold")
        rests_on.append(f" “{shortened(passage, _SNIPPET)}”", style="dim")
        rests_on.append(" by the model's word alone" if number in unsupported else "", style="dim")
        rows.add_row(shortened(story["answer"][cited["start"] : cited["end"]], _SNIPPET), rests_on)
    return rows


def _guardrails(guardrails: Sequence[Story]) -> Table:
    outcomes = {True: Text("passed", style="green"), False: Text("stopped", style="red")}
    return _grid(
        (one["name"], outcomes[one["passed"]], Text(one["detail"], style="dim"))
        for one in guardrails
    )


def _latency(latency: Mapping[str, float]) -> Table:
    longest = latency.get("total") or max(latency.values(), default=0.0) or 1.0
    rows = Table.grid(padding=(0, 2))
    for stage, milliseconds in sorted(
        latency.items(), key=lambda item: (item[0] == "total", -item[1])
    ):
        bar = Bar(size=longest, begin=0, end=milliseconds, width=_BAR, color="cyan")
        rows.add_row(stage, Text(f"{milliseconds:.1f} ms", justify="right"), bar)
    return rows


def _verdicts(verdicts: Sequence[Story]) -> RenderableType:
    if not verdicts:
        return Text("not judged yet", style="dim")
    rows = table("METRIC", "SCORE", "JUDGE", "WHY", right=("SCORE",))
    for one in verdicts:
        rows.add_row(one["metric"], _score(one["value"], 2), one["judge_version"], one["rationale"])
    return rows


def _feedback(feedback: Sequence[Story]) -> RenderableType:
    if not feedback:
        return Text("nobody has voted yet", style="dim")
    rows = table("WHEN", "WHO", "WHAT", "TARGET", "WORDS")
    for one in feedback:
        what, text = f"{one['kind']} {one['value']}", one["comment"]
        if one["kind"] == "correction":
            what, text = one["kind"], one["value"]
        rows.add_row(one["received_at"][:19], one["actor"], what, one["target"], text)
    return rows


def _pairs(mapping: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(mapping.items()))


def _score(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
