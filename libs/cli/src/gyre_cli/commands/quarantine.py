"""`gyre documents quarantine`: documents that somebody has to look at, and what they decide."""

from typing import TYPE_CHECKING, Annotated, Unpack

from gyre_client.errors import FailedPrecondition
from rich.console import Group, RenderableType
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, command, group
from gyre_cli.output import plain, table

if TYPE_CHECKING:
    from gyre.ingestor.v1 import ingestor_pb2
    from gyre_client import AsyncClient
    from gyre_client.documents import DocumentFilters

quarantine = group("Look at documents that instruct the model or abuse people, and decide.")

Acl = Annotated[list[str] | None, Option(help="Group that may read; repeatable.")]
Name = Annotated[str, Argument(help="As `gyre documents quarantine list` names it.")]
Reason = Annotated[str, Option(help="Why, in a line; it stands in the document's history.")]


@quarantine.command("list")
@command
def list_quarantine(
    cli: Cli,
    limit: Annotated[int, Option(min=1, max=1000, help="How many at most.")] = 100,
    acl: Acl = None,
) -> None:
    """Show what is held or marked, with the sentence that is why."""

    async def first(gyre: "AsyncClient") -> "tuple[list[ingestor_pb2.DocumentStatus], bool]":
        own = gyre.with_caller(groups=tuple(acl or ()))
        return await first_documents(own, limit, only_screened=True)

    listed, are_more = cli.run(first)
    if are_more:
        cli.out.note(f"there are more than {limit}: raise --limit, or decide of these first")
    cli.out.result([plain(one) for one in listed], lambda: _list(listed))


@quarantine.command("show")
@command
def show(cli: Cli, name: Name, acl: Acl = None) -> None:
    """Show all that was seen in a document, and what was decided of it."""

    async def get(gyre: "AsyncClient") -> "ingestor_pb2.DocumentStatus":
        return await gyre.with_caller(groups=tuple(acl or ())).documents.get(name)

    document = cli.run(get)
    screening = _screening(document)
    if not screening.findings:
        raise FailedPrecondition(f"nothing was seen in {name}: `gyre documents show` tells of it")
    cli.out.result(plain(screening), lambda: _card(document, screening))


@quarantine.command("release")
@command
def release(cli: Cli, name: Name, reason: Reason = "", acl: Acl = None) -> None:
    """Let a document be searched, now and whenever the same content comes again."""
    cli.run(
        lambda gyre: gyre.with_caller(groups=tuple(acl or ())).documents.release(
            name, reason=reason
        )
    )
    cli.out.result(
        {"document_id": name, "verdict": "released"},
        lambda: f"{name} is released: it is searchable in a moment",
    )


@quarantine.command("confirm")
@command
def confirm(cli: Cli, name: Name, reason: Reason = "", acl: Acl = None) -> None:
    """Keep a document out of search, also one that is marked or was released (`gyre delete` deletes
    it).
    """
    cli.run(
        lambda gyre: gyre.with_caller(groups=tuple(acl or ())).documents.confirm_quarantine(
            name, reason=reason
        )
    )
    cli.out.result(
        {"document_id": name, "verdict": "confirmed"},
        lambda: f"{name} is confirmed: it is out of search in a moment, if it was in it",
    )


async def first_documents(
    gyre: "AsyncClient", limit: int, **filters: "Unpack[DocumentFilters]"
) -> "tuple[list[ingestor_pb2.DocumentStatus], bool]":
    """So many documents, from as many pages as hold them, and whether there are more."""
    listed: list[ingestor_pb2.DocumentStatus] = []
    token = ""
    while len(listed) < limit:
        left = limit - len(listed)
        reply = await gyre.documents.page(page_size=left, page_token=token, **filters)
        listed += reply.documents
        token = reply.next_page_token
        if not token:
            break
    return listed, bool(token)


def decision_on(screening: "ingestor_pb2.Screening") -> str:
    """Who decided what of what was seen, and why; empty where nobody did."""
    from gyre.ingestor.v1 import ingestor_pb2

    if not screening.verdict:
        return ""
    verdict = ingestor_pb2.QuarantineVerdict.Name(screening.verdict)
    words = [verdict.removeprefix("QUARANTINE_VERDICT_").lower()]
    words += [f"by {screening.actor}"] if screening.actor else []
    return " ".join(words) + (f": {screening.reason}" if screening.reason else "")


def _list(listed: "list[ingestor_pb2.DocumentStatus]") -> RenderableType:
    from gyre.ingestor.v1.ingestor_pb2 import DOCUMENT_STATE_QUARANTINED

    if not listed:
        return "nothing is in quarantine"
    rows = table("DOCUMENT", "IS", "KIND", "WHERE", "SENTENCE", "DECIDED")
    for one in listed:
        screening = _screening(one)
        is_held = screening.held or (
            not screening.findings and one.state == DOCUMENT_STATE_QUARANTINED
        )
        is_open = is_held and not screening.verdict
        first = next(iter(screening.findings), None)
        rows.add_row(
            one.document_id,
            Text("held" if is_held else "marked", style="red" if is_open else "yellow"),
            first.kind if first else ", ".join(one.screened),
            first.position if first else "–",
            first.sentence if first else "–",
            decision_on(screening) or "–",
        )
    return rows


def _card(
    document: "ingestor_pb2.DocumentStatus", screening: "ingestor_pb2.Screening"
) -> RenderableType:
    rows = table("KIND", "WHERE", "SENTENCE", "SEEN")
    for finding in screening.findings:
        rows.add_row(
            finding.kind, finding.position, Text(finding.sentence, style="red"), finding.rule
        )
    standing = "held: no answer rests on it" if screening.held else "searchable"
    decision = decision_on(screening) or "nobody has decided yet"
    return Group(document.document_id, f"  {standing}; {decision}", rows)


def _screening(document: "ingestor_pb2.DocumentStatus") -> "ingestor_pb2.Screening":
    """What was last seen in its newest revision, as far back as its timeline goes."""
    from gyre.ingestor.v1.ingestor_pb2 import Screening

    own = [
        each.screening
        for each in document.timeline
        if each.revision == document.revision and each.screening.findings
    ]
    return own[-1] if own else Screening()
