"""What stands below an answer: its numbered sources, and how to vote; the rest when asked for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer
from gyre_common.passages import context_line

from gyre_cli.output import printable

if TYPE_CHECKING:
    from gyre.generator.v1.generator_pb2 import AnswerResponse, Passage

_LONGEST_QUOTE, _LONGEST_SNIPPET = 240, 160
_INDENT = "    "


def below(answer: "AnswerResponse", *, everything: bool, remembered: bool) -> Iterator[str]:
    """Lines: sources in the order of the answer, with the quoted line, and how to vote.

    With `everything` each passage that was shown, cited or not, has its id, to vote on it.
    `remembered`: this shell's next vote means this answer without its id.
    """
    quotes: dict[str, dict[str, None]] = {}
    for citation in answer.citations:
        quotes.setdefault(citation.chunk_id, {})[citation.quote] = None
    passages = {passage.chunk_id: passage for passage in answer.passages}
    if answer.answer:
        yield ""
    for number, (chunk_id, quoted) in enumerate(quotes.items(), start=1):
        if chunk_id in passages:
            yield _heading(f"[{number}]", passages[chunk_id])
            for one in quoted:
                yield _INDENT + typer.style(f"“{_line(one, _LONGEST_QUOTE)}”", italic=True)
            if everything:
                yield _INDENT + typer.style(chunk_id, dim=True)
    if everything:
        yield from _others([one for one in answer.passages if one.chunk_id not in quotes], quotes)
    if passages:
        yield ""
    yield from _what_next(answer, everything=everything, remembered=remembered)


def _others(passages: "list[Passage]", quotes: dict[str, dict[str, None]]) -> Iterator[str]:
    if passages:
        yield typer.style("also found" if quotes else "found", dim=True)
    for passage in passages:
        yield _heading(f"{passage.rank:>3}", passage)
        yield _INDENT + typer.style(_line(passage.text, _LONGEST_SNIPPET), dim=True)
        yield _INDENT + typer.style(passage.chunk_id, dim=True)


def _heading(number: str, passage: "Passage") -> str:
    where = printable(passage.source_uri or passage.document_id)
    name = printable(context_line(passage.title or passage.document_id, passage.heading_path))
    heading = typer.style(f"{number} {name}", bold=True)
    return heading if where == name else heading + typer.style(f"  {where}", dim=True)


def _what_next(answer: "AnswerResponse", *, everything: bool, remembered: bool) -> Iterator[str]:
    vote_command = f"gyre vote {answer.interaction_id}"
    if not everything:
        short = "gyre vote up|down|1..5   (here; elsewhere " + f"{vote_command} …)"
        yield typer.style(
            f"vote: {short if remembered else f'{vote_command} up|down|1..5'}", dim=True
        )
        return
    yield typer.style(f"vote     {vote_command} up|down|1..5", dim=True)
    if answer.passages:
        yield typer.style(
            f"         {vote_command} up|down --chunk ID   # one passage, by the id below it",
            dim=True,
        )
    yield typer.style(f"explain  gyre explain {answer.interaction_id}", dim=True)


def _line(text: str, longest: int) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"
