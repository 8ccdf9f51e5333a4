"""`gyre releases`: which version of every role is live; `register`, `promote`, `rollback`."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from gyre.releases.v1.releases_pb2 import Artifact, Release
from gyre_client import AsyncClient
from gyre_client.errors import GyreError
from gyre_client.releases import EVERY_TENANT, Change
from gyre_common.events.releases import GATE_FAILED, GATE_PASSED, Evidence, Roles
from rich.console import Group
from rich.table import Table
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, Reason, command, pairs
from gyre_cli.output import Json, minute, plain, table

_VERDICTS = {GATE_PASSED: "green", GATE_FAILED: "red"}

Role = Annotated[str, Argument(help="As `gyre releases` names it.")]
EveryTenant = Annotated[
    bool, Option("--every-tenant", help="The default of all tenants, not the tenant's own.")
]
Generation = Annotated[
    int, Option(min=0, help="Only if the role is at this generation; 0 for as it is.")
]


@command
def releases(
    cli: Cli,
    role: Annotated[str, Argument(help="One role in detail; all if left out.")] = "",
    every_tenant: EveryTenant = False,
) -> None:
    """Show which version of every role is live, or all of one role.

    Of one role: every version, and what its gate found.
    """
    by_role = cli.run(lambda gyre: gyre.releases.list(role, tenant=_tenant(every_tenant)))
    cli.out.result(
        [plain(release) for release in by_role.values()],
        lambda: _details(by_role[role]) if role else _table(by_role.values()),
    )


@command
def register(
    cli: Cli,
    role: Annotated[str, Argument(help="Such as retrieval.")],
    version: Annotated[str, Argument(help="A name that is not taken.")],
    settings: Annotated[
        list[str], Option("--set", metavar="NAME=VALUE", help="What is to differ; repeat it.")
    ],
    based_on: Annotated[
        str, Option("--from", help="The version that it is like otherwise [the live one].")
    ] = "",
    reason: Reason = "",
    every_tenant: EveryTenant = False,
) -> None:
    """Make a version known that is another one with other settings.

    It is not live yet.
    """
    release = cli.run(
        lambda gyre: gyre.releases.register(
            role,
            version,
            pairs(settings),
            based_on=based_on,
            reason=reason,
            tenant=_tenant(every_tenant),
        )
    )
    cli.out.result(
        plain(release),
        lambda: (
            f"{role} {version} is registered, {release.live} stays live\n"
            f"make it live: gyre promote {role} {version} --override --reason '…'"
        ),
    )


@command
def promote(
    cli: Cli,
    role: Role,
    version: Annotated[str, Argument(help="As `gyre releases ROLE` names it.")],
    reason: Reason = "",
    override: Annotated[
        bool,
        Option("--override", help="Although no gate let it pass; needs --reason."),
    ] = False,
    generation: Generation = 0,
    every_tenant: EveryTenant = False,
) -> None:
    """Make a version live, with what has to go along.

    Refused when somebody else is changing the role.
    """

    async def change_release(gyre: AsyncClient) -> Change:
        return await gyre.releases.promote(
            role,
            version,
            reason=reason,
            override=override,
            generation=generation,
            tenant=await _whose(gyre, role, every_tenant),
        )

    change = cli.run(change_release)
    cli.out.result(_change_json(change), lambda: _change_text(change))
    _note_what_is_behind(cli, role)


@command
def rollback(
    cli: Cli,
    role: Role,
    reason: Reason = "",
    generation: Generation = 0,
    every_tenant: EveryTenant = False,
) -> None:
    """Go back to the version that was live before.

    What went along with the present one goes back too.
    """

    async def change_release(gyre: AsyncClient) -> Change:
        tenant = await _whose(gyre, role, every_tenant)
        return await gyre.releases.rollback(
            role, reason=reason, generation=generation, tenant=tenant
        )

    change = cli.run(change_release)
    cli.out.result(_change_json(change), lambda: _change_text(change))
    _note_what_is_behind(cli, role)


def _note_what_is_behind(cli: Cli, role: str) -> None:
    """An index that was the shadow's may show documents as they were for a while."""
    if role != Roles.DOCUMENT_ENCODER:
        return
    try:
        behind = cli.run(lambda gyre: gyre.documents.index_rebuild()).documents_behind
    except GyreError:  # the change was made, whoever else is away
        return
    if behind:
        cli.out.note(f"its index lacks {behind:,} changes that still come: see `gyre index status`")


def _tenant(every_tenant: bool) -> str:
    """What requests say: the default of all, or whatever the caller has."""
    return EVERY_TENANT if every_tenant else ""


async def _whose(gyre: AsyncClient, role: str, every_tenant: bool) -> str:
    """A change says whose it is: everybody's where the caller's tenant has none of its own."""
    if every_tenant:
        return EVERY_TENANT
    return (await gyre.releases.list(role))[role].tenant


def _table(releases: Iterable[Release]) -> Table:
    rows = table("ROLE", "LIVE", "FOR", "GEN", "CHANGED", "BY AND WHY")
    for release in releases:
        rows.add_row(
            release.role,
            Text(release.live, style="green"),
            _scope(release),
            str(release.generation),
            minute(release.changed_at),
            f"{release.actor}: {release.reason}",
        )
    return rows


def _details(release: Release) -> Group:
    """Every version, newest last, what its gate said, and what was live before."""
    rows = table("VERSION", "STATE", "GATE", "FITS", "REGISTERED", "BY", "DIGEST", "DETAILS")
    states = {
        **dict.fromkeys(release.history[:1], "previous"),
        release.canary.version: f"canary {release.canary.share:.0%}",
        release.shadow: "shadow",
        release.live: "live",
    }
    for artifact in release.artifacts:
        evidence = artifact.evidence
        gate = evidence.get(Evidence.GATE, evidence.get(Evidence.ORIGIN, "–"))
        rows.add_row(
            artifact.version,
            Text(states.get(artifact.version, ""), style="green"),
            Text(gate, style=_VERDICTS.get(gate, "dim")),
            artifact.fits or "–",
            minute(artifact.registered_at),
            evidence.get(Evidence.REGISTERED_BY, "–"),
            artifact.digest.removeprefix("sha256:")[:12],
            _definition(artifact),
        )
    return Group(rows, "\n" + "\n".join(_last_change(release)))


def _definition(artifact: Artifact) -> str:
    """The main line of the gate's report, then what defines the version."""
    places = {"index": artifact.index, "uri": artifact.uri}
    defined = {**artifact.settings, **{name: place for name, place in places.items() if place}}
    settings = " ".join(f"{name}={value}" for name, value in sorted(defined.items()))
    summary = artifact.evidence.get(Evidence.SUMMARY, "")
    return " · ".join(part for part in (summary, settings) if part)


def _last_change(release: Release) -> Iterator[str]:
    yield f"for {_scope(release)}; live before: {', '.join(release.history) or 'nothing'}"
    changed = minute(release.changed_at)
    yield f"generation {release.generation}, {changed} by {release.actor}: {release.reason}"
    if who := release.evidence.get(Evidence.OVERRIDE, ""):
        why = release.evidence.get(Evidence.WHY, "")
        yield f"{release.live} went live although no gate let it pass: {who} wanted it ({why})"


def _scope(release: Release) -> str:
    return "every tenant" if release.tenant == EVERY_TENANT else release.tenant


def _change_json(change: Change) -> dict[str, Json]:
    """The role after the change, what went along, and how long it took."""
    return {
        **plain(change.after[change.role]),
        "before": change.before[change.role].live,
        "went_along": {role: change.after[role].live for role in change.went_along},
        "seconds": round(change.seconds, 3),
    }


def _change_text(change: Change) -> str:
    before, after = change.before[change.role], change.after[change.role]
    if before.live == after.live:
        return f"{after.role}: {after.live} is live already, nothing changed"
    generations = f"generation {before.generation} → {after.generation}"
    if before.tenant != after.tenant:
        generations = f"generation {after.generation}, the first of its own"
    lines = [
        f"{_move(change, change.role)}, {generations}, for {_scope(after)}",
        *(f"{_move(change, role)}, went along" for role in change.went_along),
        f"safe after {change.seconds:.2f} s; every replica switches as it hears of it",
    ]
    return "\n".join(lines)


def _move(change: Change, role: str) -> str:
    return f"{role}: {change.before[role].live} → {change.after[role].live}"
