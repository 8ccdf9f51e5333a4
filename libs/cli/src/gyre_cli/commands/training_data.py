"""`gyre datasets`: what was trained on. `gyre forget` takes somebody out of it, `gyre redact` what
is personal.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from gyre_client.errors import InvalidInput
from rich.console import Group
from rich.table import Table
from typer import Argument, Option

from gyre_cli.command import Cli, command, group
from gyre_cli.output import minute, plain, table

if TYPE_CHECKING:
    from gyre.trainer.v1.trainer_pb2 import DataSet, ForgetResponse, RedactResponse
    from gyre_client import AsyncClient

datasets = group("Look at the frozen data sets.")


@datasets.command("list")
@command
def list_data_sets(cli: Cli) -> None:
    """Show the data sets that were frozen, newest first."""
    data_sets = cli.run(lambda gyre: gyre.data_sets.list())
    cli.out.result([plain(one) for one in data_sets], lambda: _table(data_sets))


@datasets.command("show")
@command
def show(
    cli: Cli,
    digest: Annotated[str, Argument(help="Its digest, or the first 8 digits or more.")],
) -> None:
    """Show the card of one data set."""
    one = cli.run(lambda gyre: gyre.data_sets.get(digest))
    cli.out.result(plain(one), lambda: _card(one))


@datasets.command("export")
@command
def export(
    cli: Cli,
    digest: Annotated[str, Argument(help="Its digest, or the first 8 digits or more.")],
    form: Annotated[str, Option("--format", help="trl: prompt and completion.")] = "trl",
    part: Annotated[str, Option(help="fit, validation or gate.")] = "fit",
) -> None:
    """Print a data set of answers as JSON Lines, for other trainers."""

    async def lines(gyre: "AsyncClient") -> list[str]:
        exported = gyre.data_sets.export(digest, form=form, part=part)
        return [line async for line in exported]

    for line in cli.run(lines):
        cli.out.json_text(line)


@command
def forget(
    cli: Cli,
    actor: Annotated[str, Option(help="Who asked and voted.")] = "",
    conversation: Annotated[str, Option(help="Id of a conversation.")] = "",
    document: Annotated[str, Option(help="Id of a document.")] = "",
) -> None:
    """Forget what training keeps of a person, a conversation or a document.

    Facts, data sets and runs' folders of the tenant, up to now. The index, ClickHouse and Kafka
    keep theirs, and so do versions that were made of it: trained models, prompts with examples.
    """
    subjects = [one for one in (actor, conversation, document) if one]
    if len(subjects) != 1:
        raise InvalidInput(
            "--actor", "is not the only subject" if subjects else "is missing", "name one subject"
        )
    removed = cli.run(
        lambda gyre: gyre.facts.forget(
            actor=actor, conversation_id=conversation, document_id=document
        )
    )
    cli.out.result(plain(removed), lambda: _summary(removed))


@command
def redact(
    cli: Cli,
    since: Annotated[
        datetime | None,
        Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="From when on, in UTC."),
    ] = None,
) -> None:
    """Rewrite what was kept before personal data was masked, hashed or dropped.

    Rows of ClickHouse, facts, data sets and runs' folders; the versions that may have learned from
    them are listed. The index follows by `gyre index rebuild`, Kafka's topics by age.
    """
    moment = since.replace(tzinfo=UTC) if since else None

    async def everywhere(gyre: "AsyncClient") -> "tuple[dict[str, int], RedactResponse]":
        return await gyre.history.redact(moment), await gyre.facts.redact(moment)

    rows, facts = cli.run(everywhere)
    cli.out.result({**plain(facts), "rows": rows}, lambda: _of_redaction(rows, facts))


def _table(data_sets: "Sequence[DataSet]") -> Table:
    numbers = ("TO TRAIN", "TO JUDGE")
    rows = table("DATA SET", "TENANT", *numbers, "FROZEN", "EXPIRED", right=numbers)
    for one in data_sets:
        rows.add_row(
            one.digest.removeprefix("sha256:")[:12],
            one.tenant,
            str(one.train_questions),
            str(one.gate_questions),
            minute(one.frozen_at),
            minute(one.expired_at) if one.HasField("expired_at") else "",
        )
    return rows


def _card(one: "DataSet") -> Table:
    from google.protobuf.json_format import MessageToDict

    rows = table("FACT", "VALUE")
    rows.add_row("digest", one.digest)
    if one.HasField("expired_at"):
        rows.add_row("expired", f"{minute(one.expired_at)}: facts of it were forgotten or too old")
    for name, value in _flat(MessageToDict(one.card)):
        rows.add_row(name, value)
    return rows


def _flat(card: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(card.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:g}" if isinstance(value, float) else str(value)


def _summary(removed: "ForgetResponse") -> str:
    cleared = removed.cleared_interactions
    return (
        f"removed: {removed.interactions} questions, {removed.feedback} votes and comments, "
        f"{removed.passages} texts of passages, {removed.data_sets} data sets, "
        f"{removed.runs} folders of runs"
        + (f"; {cleared} questions stay without what they quoted" if cleared else "")
        + "\nThe index, ClickHouse and Kafka's topics still hold theirs. Versions made of it stay: "
        "trained models, and prompts with examples, which show these to who asks; see "
        "`gyre releases prompt/answer`."
    )


def _of_redaction(rows: Mapping[str, int], facts: "RedactResponse") -> Group:
    changed = ", ".join(f"{count} of {table}" for table, count in rows.items() if count)
    summary = (
        f"rewritten in ClickHouse: {changed or 'no row'}\n"
        f"rewritten for training: {facts.interactions} questions, {facts.feedback} votes and "
        f"comments; removed: {facts.passages} texts of passages, {facts.data_sets} data sets, "
        f"{facts.runs} folders of runs\n"
        "The index still holds what documents said: `gyre index rebuild` reads them again. Kafka's "
        "topics keep theirs until they are too old."
    )
    if not facts.versions:
        return Group(summary, "No version was trained since then.")
    versions = table("ROLE", "VERSION", "TENANT", "TRAINED", "RUN")
    for one in facts.versions:
        versions.add_row(one.role, one.version, one.tenant, minute(one.started_at), one.run_id)
    return Group(
        summary, "These versions may have learned from it, and stay as they are:", versions
    )
