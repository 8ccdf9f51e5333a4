"""`gyre documents`: what is there, and what happened to a document."""

from typing import TYPE_CHECKING, Annotated, Any

from gyre.ingestor.v1 import ingestor_pb2
from gyre_client.errors import InvalidInput
from rich.console import Group, RenderableType
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, command, group
from gyre_cli.commands.quarantine import Acl, decision_on, first_documents, quarantine
from gyre_cli.output import one_line, plain, shortened, table

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp
    from gyre_client import AsyncClient

_STATES = {
    "indexed": ingestor_pb2.DOCUMENT_STATE_INDEXED,
    "rejected": ingestor_pb2.DOCUMENT_STATE_REJECTED,
    "deleted": ingestor_pb2.DOCUMENT_STATE_DELETED,
    "quarantined": ingestor_pb2.DOCUMENT_STATE_QUARANTINED,
}
_NAMES = {number: name for name, number in _STATES.items()}
_STYLES = {"indexed": "green", "rejected": "red", "deleted": "dim", "quarantined": "red"}
_LONGEST_TITLE = 60
_MOST_PARTS = 20

documents = group("Look at documents: what is there, and what happened to them.")

documents.add_typer(quarantine, name="quarantine")


@documents.command("list")
@command
def list_documents(
    cli: Cli,
    search: Annotated[str, Option(help="Words of title or name.")] = "",
    state: Annotated[
        str, Option(help="indexed, rejected, quarantined or deleted [all but deleted].")
    ] = "",
    language: Annotated[str, Option(help="Such as de; und where it cannot be told.")] = "",
    limit: Annotated[int, Option(min=1, max=1000, help="How many at most.")] = 100,
    acl: Acl = None,
) -> None:
    """Show documents by name, with their state, and which say the same as others."""
    if state and state not in _STATES:
        raise InvalidInput("--state", f"is {state}", f"name one of {', '.join(_STATES)}")
    wanted = _STATES.get(state, ingestor_pb2.DOCUMENT_STATE_UNSPECIFIED)

    async def first(gyre: "AsyncClient") -> tuple[list[ingestor_pb2.DocumentStatus], bool]:
        own = gyre.with_caller(groups=tuple(acl or ()))
        return await first_documents(
            own, limit, search=search, state=wanted, language=language, duplicates=True
        )

    listed, are_more = cli.run(first)
    if are_more:
        cli.out.note(f"there are more than {limit}: narrow it by --search, or raise --limit")
    cli.out.result([plain(one) for one in listed], lambda: _list(listed))


@documents.command("show")
@command
def show(
    cli: Cli,
    name: Annotated[str, Argument(help="As `gyre documents list` names it.")],
    acl: Acl = None,
) -> None:
    """Show one document: where it stands, and what each of its submissions came to, when."""

    async def get(gyre: "AsyncClient") -> tuple[ingestor_pb2.DocumentStatus, list[str]]:
        own = gyre.with_caller(groups=tuple(acl or ())).documents
        return await own.get(name), await own.parts(name)

    document, parts = cli.run(get)
    cli.out.result({**plain(document), "parts": parts}, lambda: _card(document, parts))


def _list(listed: list[ingestor_pb2.DocumentStatus]) -> RenderableType:
    if not listed:
        return "no documents"
    rows = table(
        "DOCUMENT", "STATE", "LANGUAGE", "PASSAGES", "TITLE", "DUPLICATE", right=("PASSAGES",)
    )
    for one in listed:
        rows.add_row(
            one.document_id,
            _standing(one),
            one.language,
            str(one.chunk_count),
            shortened(one.title, _LONGEST_TITLE),
            _duplicate(one.duplicates[0]) if one.duplicates else "",
        )
    return rows


def _duplicate(duplicate: ingestor_pb2.DuplicateDocument) -> str:
    how = "same content" if duplicate.same_content else f"{duplicate.similarity:.0%} alike"
    return f"{duplicate.document_id} ({how}{', newer' if duplicate.newer else ''})"


def _card(document: ingestor_pb2.DocumentStatus, parts: list[str]) -> RenderableType:
    facts = {
        "state": _standing(document).plain,
        "title": document.title,
        "kind": document.media_type,
        "language": document.language,
        "from": document.source_uri,
        "groups": ", ".join(document.acl) or "everybody of the tenant",
        "passages": f"{document.chunk_count} in {document.index}" if document.index else "",
    }
    lines: list[RenderableType] = [one_line(document.document_id)]
    lines += [f"  {name}: {one_line(value)}" for name, value in facts.items() if value]
    lines += [f"  duplicate: {one_line(_duplicate(each))}" for each in document.duplicates]
    lines += [Text(f"  not read: {one_line(note)}", style="yellow") for note in notes_on(document)]
    if parts:
        more = f" and {len(parts) - _MOST_PARTS} more" if len(parts) > _MOST_PARTS else ""
        lines.append(f"  holds: {one_line(', '.join(parts[:_MOST_PARTS]))}{more}")
    rows = table("SUBMITTED", "BECAME", "ACCEPTED", "CUT", "DONE", "WHY")
    for event in document.timeline:
        rows.add_row(*_happening(event))
    return Group(*lines, rows)


def notes_on(document: ingestor_pb2.DocumentStatus) -> list[str]:
    """What of its newest revision was not read."""
    own = (each for each in document.timeline if each.revision == document.revision)
    return [note for each in own for note in each.notes]


def _happening(event: ingestor_pb2.DocumentEvent) -> list[Any]:
    """When it was submitted, and after how many seconds each stage was through."""

    def after(moment: "Timestamp", *, has_it: bool) -> str:
        if not has_it:
            return "–"
        span = moment.ToDatetime() - event.submitted_at.ToDatetime()
        return f"+{span.total_seconds():.1f} s"

    why = f"{event.code} ({event.stage}): {event.detail}" if event.code else ""
    screening = event.screening
    if screening.findings and not event.code:
        seen = "; ".join(f"{one.position}: {one.sentence}" for one in screening.findings)
        why = f"{screening.findings[0].kind} ({decision_on(screening) or 'marked'}): {seen}"
    elif screening.verdict:
        why = f"{why}; {decision_on(screening)}"
    source = event.source
    return [
        f"{event.submitted_at.ToDatetime():%Y-%m-%d %H:%M:%S}",
        _state(event.state),
        after(event.accepted_at, has_it=event.HasField("accepted_at")),
        after(event.chunked_at, has_it=event.HasField("chunked_at")),
        after(event.happened_at, has_it=True),
        " ".join(filter(None, [f"by source {source}" if source else "", why])),
    ]


def _standing(document: ingestor_pb2.DocumentStatus) -> Text:
    state = _state(document.state)
    if document.screened and document.state == ingestor_pb2.DOCUMENT_STATE_INDEXED:
        return state.append(" (marked)", style="yellow")
    return state


def _state(number: ingestor_pb2.DocumentState) -> Text:
    name = _NAMES.get(number, "")
    return Text(name, style=_STYLES.get(name, ""))
