"""Releases as people and programs read them; `releases`, `promote` and `rollback` share it."""

from gyre.trainer.v1 import trainer_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from gyre_cli.output import Json, plain, table


def release_json(release: trainer_pb2.Release) -> dict[str, Json]:
    """Every field; the generation as a number."""
    return {**plain(release), "generation": release.generation}


def releases_table(releases: list[trainer_pb2.Release]) -> RenderableType:
    """One line a role."""
    rows = table("ROLE", "LIVE", "GEN", "CHANGED", "BY AND WHY")
    for release in releases:
        rows.add_row(
            release.role,
            Text(release.live, style="green"),
            str(release.generation),
            _time(release),
            Text(f"{release.actor}: {release.reason}"),
        )
    return rows


def release_details(release: trainer_pb2.Release) -> RenderableType:
    """One role: every version, newest last, and what was live before."""
    rows = table("VERSION", "STATE", "REGISTERED", "DIGEST", "DETAILS")
    for artifact in release.artifacts:
        details = dict(artifact.settings)
        details |= {
            name: getattr(artifact, name)
            for name in ("index", "fits", "uri")
            if getattr(artifact, name)
        }
        rows.add_row(
            artifact.version,
            Text(_state(release, artifact.version), style="green"),
            f"{artifact.registered_at.ToDatetime():%Y-%m-%d %H:%M}",
            artifact.digest.removeprefix("sha256:")[:12],
            Text(" ".join(f"{name}={value}" for name, value in sorted(details.items()))),
        )
    before = ", ".join(release.history) or "nothing"
    last = f"generation {release.generation}, {_time(release)} by {release.actor}: {release.reason}"
    return Group(rows, Text(f"\nlive before: {before}\n{last}"))


def change_told(before: trainer_pb2.Release, after: trainer_pb2.Release) -> Text:
    """What a promotion or a rollback did."""
    if before.generation == after.generation:
        return Text(f"{after.role}: {after.live} is live already, nothing changed")
    return Text(
        f"{after.role}: {before.live} → {after.live} "
        f"(generation {before.generation} → {after.generation})"
    )


def _state(release: trainer_pb2.Release, version: str) -> str:
    if version == release.live:
        return "live"
    if version == release.shadow:
        return "shadow"
    if version == release.canary.version:
        return f"canary {release.canary.share:.0%}"
    return ""


def _time(release: trainer_pb2.Release) -> str:
    return f"{release.changed_at.ToDatetime():%Y-%m-%d %H:%M}"
