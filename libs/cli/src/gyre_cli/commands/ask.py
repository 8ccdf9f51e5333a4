"""`gyre ask`: an answer as it is made, and what it rests on. `gyre questions`: what to ask."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from gyre_client.errors import GyreError
from gyre_common.passages import context_line

from gyre_cli.command import Cli, command
from gyre_cli.last_answer import LastAnswer, remember
from gyre_cli.output import plain, printable, shortened

if TYPE_CHECKING:
    from gyre.generator.v1.generator_pb2 import AnswerResponse, Passage
    from gyre_client import AsyncClient

QUESTIONS = (
    "When does an answer count as given?",
    "Why does only the release controller write releases?",
    "Which user can analysts use?",
)
"""Which the project's own documents answer."""

_LONGEST_QUOTE, _LONGEST_SNIPPET = 240, 160
_INDENT = "    "


@command
def questions(cli: Cli) -> None:
    """Suggest three questions to start with."""
    lines = "\n".join(f'  gyre ask "{question}"' for question in QUESTIONS)
    cli.out.result(list(QUESTIONS), lambda: f"Three questions to try:\n{lines}")


@command
def ask(
    cli: Cli,
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    conversation: Annotated[
        str, typer.Option(help="Id of a conversation, so that versions stay the same.")
    ] = "",
    acl: Annotated[list[str] | None, typer.Option(help="Group you belong to; repeatable.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All passages that were found, and their ids.")
    ] = False,
) -> None:
    """Ask a question; the answer streams, its sources follow."""
    groups = tuple(acl or ())
    answer = cli.run(
        lambda gyre: _ask(cli, gyre.with_caller(groups=groups), question, conversation)
    )
    outcome = _outcome(answer)
    chunk_ids = [passage.chunk_id for passage in answer.passages]
    remembered = remember(cli.settings, LastAnswer(answer.interaction_id, question, chunk_ids))
    if cli.out.as_json:
        cli.out.json({**plain(answer), "outcome": outcome})
    else:
        typer.echo("\n".join(below(answer, everything=everything, remembered=remembered)))
    if outcome == "error":
        raise GyreError(
            f"no answer could be made: see `gyre explain {answer.interaction_id}` and `gyre logs`"
        )


async def _ask(cli: Cli, gyre: "AsyncClient", question: str, conversation: str) -> "AnswerResponse":
    last = ""
    async for piece in gyre.answers.stream(question, conversation_id=conversation):
        if piece.HasField("finished"):
            if last and not last.endswith("\n") and not cli.out.as_json:
                cli.out.write("\n")
            return piece.finished
        if piece.delta.text and not cli.out.as_json:
            last = printable(piece.delta.text)
            cli.out.write(last)
    raise AssertionError("a stream ends with the answer, or raises")


def _outcome(answer: "AnswerResponse") -> str:
    from gyre.generator.v1 import generator_pb2

    return generator_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_").lower()


def below(answer: "AnswerResponse", *, everything: bool, remembered: bool) -> Iterator[str]:
    """What stands below an answer: sources in its order, with the quoted line, and how to vote.

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
                yield _INDENT + typer.style(f"“{shortened(one, _LONGEST_QUOTE)}”", italic=True)
            if everything:
                yield _INDENT + typer.style(chunk_id, dim=True)
    if everything:
        others = [passage for passage in answer.passages if passage.chunk_id not in quotes]
        if others:
            yield typer.style("also found" if quotes else "found", dim=True)
        for passage in others:
            yield _heading(f"{passage.rank:>3}", passage)
            yield _INDENT + typer.style(shortened(passage.text, _LONGEST_SNIPPET), dim=True)
            yield _INDENT + typer.style(passage.chunk_id, dim=True)
    if passages:
        yield ""
    for line in _what_next(answer, everything=everything, remembered=remembered):
        yield typer.style(line, dim=True)


def _heading(number: str, passage: "Passage") -> str:
    where = printable(passage.source_uri or passage.document_id)
    name = printable(context_line(passage.title or passage.document_id, passage.heading_path))
    heading = typer.style(f"{number} {name}", bold=True)
    return heading if where == name else heading + typer.style(f"  {where}", dim=True)


def _what_next(answer: "AnswerResponse", *, everything: bool, remembered: bool) -> Iterator[str]:
    vote = f"gyre vote {answer.interaction_id}"
    if everything:
        yield f"vote     {vote} up|down|1..5"
        if answer.passages:
            yield f"         {vote} up|down --chunk ID   # one passage, by the id below it"
        yield f"explain  gyre explain {answer.interaction_id}"
    elif remembered:
        yield f"vote: gyre vote up|down|1..5   (here; elsewhere {vote} …)"
    else:
        yield f"vote: {vote} up|down|1..5"
