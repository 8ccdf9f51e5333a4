"""Releases as people and programs read them; the commands that show or change them share it."""

from collections.abc import Iterator

from gyre.releases.v1 import releases_pb2
from gyre_client.releases import EVERY_TENANT, Change
from gyre_common.events.releases import GATE_FAILED, GATE_PASSED, Evidence
from rich.console import Group, RenderableType
from rich.text import Text

from gyre_cli.output import Json, plain, table


def requested_tenant(*, every_tenant: bool) -> str:
    """What requests say: the default of all, or whatever the caller has."""
    return EVERY_TENANT if every_tenant else ""


_VERDICTS = {GATE_PASSED: "green", GATE_FAILED: "red"}


def release_json(release: releases_pb2.Release) -> dict[str, Json]:
    """Every field."""
    return plain(release)


def releases_table(releases: list[releases_pb2.Release]) -> RenderableType:
    """One line a role."""
    rows = table("ROLE", "LIVE", "FOR", "GEN", "CHANGED", "BY AND WHY")
    for release in releases:
        rows.add_row(
            release.role,
            Text(release.live, style="green"),
            _scope(release),
            str(release.generation),
            _time(release),
            Text(f"{release.actor}: {release.reason}"),
        )
    return rows


def release_details(release: releases_pb2.Release) -> RenderableType:
    """One role: every version, newest last, what its gate said, and what was live before."""
    rows = table("VERSION", "STATE", "GATE", "FITS", "REGISTERED", "BY", "DIGEST", "DETAILS")
    for artifact in release.artifacts:
        evidence = artifact.evidence
        gate = evidence.get(Evidence.GATE, evidence.get(Evidence.ORIGIN, "–"))
        rows.add_row(
            artifact.version,
            Text(_state(release, artifact.version), style="green"),
            Text(gate, style=_VERDICTS.get(gate, "dim")),
            artifact.fits or "–",
            f"{artifact.registered_at.ToDatetime():%Y-%m-%d %H:%M}",
            evidence.get(Evidence.REGISTERED_BY, "–"),
            artifact.digest.removeprefix("sha256:")[:12],
            Text(_details(artifact)),
        )
    return Group(rows, Text("\n" + "\n".join(_last_change(release))))


def change_json(change: Change) -> dict[str, Json]:
    """The role after the change, what went along, and how long it took."""
    return {
        **release_json(change.after[change.role]),
        "before": change.before[change.role].live,
        "went_along": {
            role: change.after[role].live for role in _changed_roles(change) if role != change.role
        },
        "seconds": round(change.seconds, 3),
    }


def change_lines(change: Change) -> Text:
    """What a promotion or a rollback did."""
    before, after = change.before[change.role], change.after[change.role]
    if change.role not in _changed_roles(change):
        return Text(f"{after.role}: {after.live} is live already, nothing changed")
    others = [role for role in _changed_roles(change) if role != change.role]
    lines = [
        f"{_move(change, change.role)}, {_generations(before, after)}, for {_scope(after)}",
        *(f"{_move(change, role)}, went along" for role in others),
        f"safe after {change.seconds:.2f} s; every replica switches as it hears of it",
    ]
    return Text("\n".join(lines))


def _changed_roles(change: Change) -> list[str]:
    return [
        role
        for role, after in change.after.items()
        if role in change.before and change.before[role].live != after.live
    ]


def _move(change: Change, role: str) -> str:
    return f"{role}: {change.before[role].live} → {change.after[role].live}"


def _generations(before: releases_pb2.Release, after: releases_pb2.Release) -> str:
    if before.tenant != after.tenant:
        return f"generation {after.generation}, the first of its own"
    return f"generation {before.generation} → {after.generation}"


def _last_change(release: releases_pb2.Release) -> Iterator[str]:
    yield f"for {_scope(release)}; live before: {', '.join(release.history) or 'nothing'}"
    yield f"generation {release.generation}, {_time(release)} by {release.actor}: {release.reason}"
    if who := release.evidence.get(Evidence.OVERRIDE, ""):
        why = release.evidence.get(Evidence.WHY, "")
        yield f"{release.live} went live although no gate let it pass: {who} wanted it ({why})"


def _details(artifact: releases_pb2.Artifact) -> str:
    """The main line of the gate's report, then what defines the version."""
    defined = dict(artifact.settings)
    defined |= {
        name: getattr(artifact, name) for name in ("index", "uri") if getattr(artifact, name)
    }
    pairs = " ".join(f"{name}={value}" for name, value in sorted(defined.items()))
    summary = artifact.evidence.get(Evidence.SUMMARY, "")
    return " · ".join(part for part in (summary, pairs) if part)


def _state(release: releases_pb2.Release, version: str) -> str:
    if version == release.live:
        return "live"
    if version == release.shadow:
        return "shadow"
    if version == release.canary.version:
        return f"canary {release.canary.share:.0%}"
    if version in release.history[:1]:
        return "previous"
    return ""


def _scope(release: releases_pb2.Release) -> str:
    return "every tenant" if release.tenant == EVERY_TENANT else release.tenant


def _time(release: releases_pb2.Release) -> str:
    return f"{release.changed_at.ToDatetime():%Y-%m-%d %H:%M}"
