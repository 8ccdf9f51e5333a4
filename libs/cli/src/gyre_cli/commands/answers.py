"""`gyre ask`, `vote` and `explain`; `gyre questions` says what to ask.

Without an id `vote` and `explain` mean the last answer of this shell. Two shells never mean each
other's: it is kept by tenant and by session (what a terminal starts is one session), in the home,
for a day.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from gyre_client.errors import GyreError, InvalidInput
from gyre_common.passages import context_line
from typer import Argument, Option

from gyre_cli.command import Cli, command
from gyre_cli.output import one_line, plain, printable, shortened
from gyre_cli.settings import CliSettings

if TYPE_CHECKING:
    from gyre.generator.v1.generator_pb2 import AnswerResponse, Passage
    from gyre.telemetry.v1.telemetry_pb2 import Interaction
    from gyre_client import AsyncClient

QUESTIONS = (
    "When does an answer count as given?",
    "Why does only the release controller write releases?",
    "Which user can analysts use?",
)
"""Which the project's own documents answer."""

_VALUES = ("up", "down", "1", "2", "3", "4", "5")
_MODELS_WORD = "  by the model's word alone"
_LONGEST_QUOTE, _LONGEST_SNIPPET = 240, 160
_INDENT = "    "
_REMEMBERED_SECONDS = 24 * 3600.0
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BEGINNING = re.compile(r"[0-9a-f-]{4,36}")

AnswerId = Annotated[
    str,
    Argument(metavar="[ID]", help="The answer's id or its beginning [the last answer]."),
]


@command
def questions(cli: Cli) -> None:
    """Suggest three questions to start with."""
    lines = "\n".join(f'  gyre ask "{question}"' for question in QUESTIONS)
    cli.out.result(list(QUESTIONS), lambda: f"Three questions to try:\n{lines}")


@command
def ask(
    cli: Cli,
    question: Annotated[str, Argument(help="What you want to know.")],
    conversation: Annotated[
        str, Option(help="Id of a conversation, so that versions stay the same.")
    ] = "",
    acl: Annotated[list[str] | None, Option(help="Group you belong to; repeatable.")] = None,
    everything: Annotated[
        bool, Option("--all", help="All passages that were found, and their ids.")
    ] = False,
) -> None:
    """Ask a question; the answer streams, its sources follow."""
    from gyre.generator.v1 import generator_pb2

    groups = tuple(acl or ())
    answer = cli.run(
        lambda gyre: _ask(cli, gyre.with_caller(groups=groups), question, conversation)
    )
    outcome = generator_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_").lower()
    chunk_ids = [passage.chunk_id for passage in answer.passages]
    remembered = _remember(cli.settings, _LastAnswer(answer.interaction_id, question, chunk_ids))
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


@command
def vote(
    cli: Cli,
    answer: AnswerId = "",
    value: Annotated[str, Argument(help="up, down, or 1 to 5.")] = "",
    comment: Annotated[str, Option(help="Why.")] = "",
    correction: Annotated[str, Option(help="The better answer.")] = "",
    golden: Annotated[
        bool, Option("--golden", help="The correction judges candidates, and teaches none.")
    ] = False,
    chunk: Annotated[
        str | None, Option(help="Vote on this passage instead, by its id or its beginning.")
    ] = None,
) -> None:
    """Say what an answer was worth.

    A thumb, a rating, a comment, a correction, or several of them.
    """
    if not value and not _BEGINNING.fullmatch(answer.lower()):  # `gyre vote up`
        answer, value = "", answer
    if value and answer in _VALUES:
        fix = "say one of up, down or 1 to 5, after the ID if you give one"
        raise InvalidInput("VALUE", f"is {answer} {value}", fix)
    if value and value not in _VALUES:
        raise InvalidInput("VALUE", f"is {value}", "say up, down or a rating from 1 to 5")
    if not (value or comment or correction):
        raise InvalidInput(
            "VALUE", "is missing", "say up, down or 1 to 5, or give --comment or --correction"
        )
    if chunk == "":
        fix = "give a passage's id or its beginning, or leave it out"
        raise InvalidInput("--chunk", "is empty", fix)

    async def send(gyre: "AsyncClient") -> tuple[str, dict[str, str]]:
        answer_id = await _interaction_id(gyre, answer, cli.settings)
        passage = await _chunk_id(gyre, chunk or "", answer_id, cli.settings)
        words = await gyre.feedback.vote(
            answer_id,
            value,
            comment=comment,
            correction=correction,
            golden=golden,
            chunk_id=passage,
        )
        return answer_id, words

    voted_on, ids = cli.run(send)
    if cli.out.as_json:
        feedback = [{"feedback_id": one, "kind": kind} for kind, one in ids.items()]
        cli.out.json({"interaction_id": voted_on, "feedback": feedback})
    else:
        about = voted_on if answer else f"“{_recall(cli.settings).question}”"
        typer.echo(one_line(f"recorded: {', '.join(ids)} on {about}"))


@command
def explain(cli: Cli, answer: AnswerId = "") -> None:
    """Tell how an answer was made.

    Prompt, versions, passages and scores, verdicts, votes, time.
    """
    from gyre_cli.story_view import story_page

    async def story_of(gyre: "AsyncClient") -> "Interaction":
        return await gyre.history.explain(await _interaction_id(gyre, answer, cli.settings))

    story = plain(cli.run(story_of))
    cli.out.result(story, lambda: story_page(story))


def below(answer: "AnswerResponse", *, everything: bool, remembered: bool) -> Iterator[str]:
    """What stands below an answer: sources in its order, with the quoted line, and how to vote.

    With `everything` each passage that was shown, cited or not, has its id, to vote on it.
    `remembered`: this shell's next vote means this answer without its id.
    """
    sources = list(_sources(answer, everything=everything))
    if answer.answer:
        yield ""
    yield from sources
    if sources:
        yield ""
    for line in _what_next(answer, everything=everything, remembered=remembered):
        yield typer.style(line, dim=True)


def _sources(answer: "AnswerResponse", *, everything: bool) -> Iterator[str]:
    quotes: dict[str, dict[str, bool]] = {}
    for number, citation in enumerate(answer.citations):
        is_supported = number not in answer.unsupported_citations
        of_passage = quotes.setdefault(citation.chunk_id, {})
        of_passage[citation.quote] = is_supported or of_passage.get(citation.quote, False)
    passages = {passage.chunk_id: passage for passage in answer.passages}
    for number, (chunk_id, quoted) in enumerate(quotes.items(), start=1):
        if chunk_id in passages:
            yield _heading(f"[{number}]", passages[chunk_id])
            for one, is_supported in quoted.items():
                quote = typer.style(f"“{shortened(one, _LONGEST_QUOTE)}”", italic=True)
                whose = "" if is_supported else typer.style(_MODELS_WORD, dim=True)
                yield f"{_INDENT}{quote}{whose}"
            if everything:
                yield _INDENT + typer.style(one_line(chunk_id), dim=True)
    if everything:
        others = [passage for passage in answer.passages if passage.chunk_id not in quotes]
        if others:
            yield typer.style("also found" if quotes else "found", dim=True)
        for passage in others:
            yield _heading(f"{passage.rank:>3}", passage)
            yield _INDENT + typer.style(shortened(passage.text, _LONGEST_SNIPPET), dim=True)
            yield _INDENT + typer.style(one_line(passage.chunk_id), dim=True)


def _heading(number: str, passage: "Passage") -> str:
    where = one_line(passage.source_uri or passage.document_id)
    name = one_line(context_line(passage.title or passage.document_id, passage.heading_path))
    heading = typer.style(f"{number} {name}", bold=True)
    if passage.position:
        heading += typer.style(f", {one_line(passage.position)}")
    return heading if where == name else heading + typer.style(f"  {where}", dim=True)


def _what_next(answer: "AnswerResponse", *, everything: bool, remembered: bool) -> Iterator[str]:
    answer_id = one_line(answer.interaction_id)
    vote = f"gyre vote {answer_id}"
    if everything:
        yield f"vote     {vote} up|down|1..5"
        if answer.passages:
            yield f"         {vote} up|down --chunk ID   # one passage, by the id below it"
        yield f"explain  gyre explain {answer_id}"
    elif remembered:
        yield f"vote: gyre vote up|down|1..5   (here; elsewhere {vote} …)"
    else:
        yield f"vote: {vote} up|down|1..5"


@dataclass(frozen=True)
class _LastAnswer:
    """Enough to vote on it."""

    interaction_id: str
    question: str
    chunk_ids: Sequence[str] = ()


def _remember(settings: CliSettings, answer: _LastAnswer) -> bool:
    """For this shell; False where the home cannot be written, which spoils no answer."""
    path = _path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(asdict(answer)))
        draft.replace(path)
    except OSError:
        return False
    for other in path.parent.iterdir():
        with suppress(OSError):
            if _age(other) > _REMEMBERED_SECONDS:
                other.unlink()
    return True


def _recall(settings: CliSettings) -> _LastAnswer:
    """Raises InvalidInput when this shell has asked nothing of the tenant today."""
    last = _last(settings)
    if last is None:
        raise InvalidInput(
            "ID",
            f"is missing, and this shell has no answer for tenant {settings.tenant} yet",
            "ask first, or give what `gyre ask` printed",
        )
    return last


async def _interaction_id(gyre: "AsyncClient", text: str, settings: CliSettings) -> str:
    """What is meant by an id, the beginning of one, or nothing: the last answer."""
    beginning = text.lower()
    if not beginning:
        return _recall(settings).interaction_id
    if _UUID.fullmatch(beginning):
        return beginning
    if not _BEGINNING.fullmatch(beginning):
        raise InvalidInput(
            "ID",
            f"is {text}, no id and no beginning of one",
            "give 4 characters or more of what `gyre ask` printed",
        )
    return await gyre.history.interaction_id(beginning)


async def _chunk_id(gyre: "AsyncClient", text: str, answer_id: str, settings: CliSettings) -> str:
    """What is meant by the beginning of a passage's id."""
    if not text or _UUID.fullmatch(text):
        return text
    from gyre_client.history import only_match

    last = _last(settings)
    if last is not None and last.interaction_id == answer_id:
        ids = last.chunk_ids
    else:
        story = await gyre.history.explain(answer_id)
        ids = [passage.chunk_id for passage in story.retrieved]
    return only_match([one for one in ids if one.startswith(text.lower())], text, "passage")


def _last(settings: CliSettings) -> _LastAnswer | None:
    path = _path(settings)
    with suppress(OSError, ValueError, TypeError):
        if _age(path) < _REMEMBERED_SECONDS:
            return _LastAnswer(**json.loads(path.read_text()))
    return None


def _path(settings: CliSettings) -> Path:
    return settings.home / "last-answers" / f"{settings.tenant}-{os.getsid(0)}.json"


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
