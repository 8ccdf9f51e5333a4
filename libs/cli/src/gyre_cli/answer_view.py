"""What stands below an answer: its sources, what else was found, and how to vote on them."""

from collections.abc import Iterator

from gyre.generator.v1.generator_pb2 import AnswerResponse, Passage
from gyre_common.passages import context_line
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

_LONGEST_QUOTE, _LONGEST_SNIPPET = 240, 160


def below(answer: AnswerResponse) -> RenderableType:
    """Sources numbered in the order of the answer, then the other passages; each with its id."""
    return Group(*_parts(answer))


def _parts(answer: AnswerResponse) -> Iterator[RenderableType]:
    yield Text("" if not answer.answer or answer.answer.endswith("\n") else "\n")
    quotes: dict[str, dict[str, None]] = {}
    for citation in answer.citations:
        quotes.setdefault(citation.chunk_id, {})[citation.quote] = None
    passages = {passage.chunk_id: passage for passage in answer.passages}
    for number, (chunk_id, quoted) in enumerate(quotes.items(), start=1):
        if chunk_id in passages:
            yield from _source(f"[{number}]", passages[chunk_id], [_quote(one) for one in quoted])
    others = [passage for passage in answer.passages if passage.chunk_id not in quotes]
    if others:
        yield Text("also found" if quotes else "found", style="dim")
    for passage in others:
        snippet = Text(_shortened(passage.text, _LONGEST_SNIPPET), style="dim")
        yield from _source(f"{passage.rank:>3}", passage, [snippet])
    if passages:
        yield Text("")
    yield Text("\n".join(_what_next(answer)), style="dim")


def _source(number: str, passage: Passage, said: list[Text]) -> Iterator[RenderableType]:
    where = passage.source_uri or passage.document_id
    name = context_line(passage.title or passage.document_id, passage.heading_path)
    heading = Text(f"{number} {name}", style="bold")
    if where != name:
        heading.append(f"  {where}", style="dim")
    yield heading
    for line in (*said, Text(passage.chunk_id, style="dim cyan")):
        yield Padding(line, (0, 0, 0, 4), expand=False)


def _what_next(answer: AnswerResponse) -> Iterator[str]:
    vote = f"gyre vote {answer.interaction_id}"
    yield f"vote     {vote} up|down|1..5"
    if answer.passages:
        yield f"         {vote} up|down --chunk ID   # one passage, by the id below it"
    yield f"explain  gyre explain {answer.interaction_id}"


def _quote(quote: str) -> Text:
    return Text(f"“{_shortened(quote, _LONGEST_QUOTE)}”", style="italic")


def _shortened(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
