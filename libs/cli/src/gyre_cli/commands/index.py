"""`gyre index`: the search index filled anew from the accepted documents, beside the live one."""

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from gyre.ingestor.v1 import ingestor_pb2
from gyre_client.errors import FailedPrecondition
from gyre_client.releases import EVERY_TENANT
from rich.console import Group
from rich.text import Text
from typer import Option

from gyre_cli.command import Cli, command, group
from gyre_cli.output import escaped

if TYPE_CHECKING:
    from gyre.releases.v1.releases_pb2 import Artifact, Release
    from gyre_client import AsyncClient

_ROLE = "document-encoder"
_POLL_SECONDS = 0.5
_NUMBERED = re.compile(r"-(?:\d+|\d{8}t\d{6})\Z")
_HEARS_LATE = 10
"""Tries, with `_POLL_SECONDS` between: the ingestor hears of a release a moment later."""
_READ = (ingestor_pb2.INDEX_REBUILD_STATE_ENCODING, ingestor_pb2.INDEX_REBUILD_STATE_FILLED)
_WHAT = {
    ingestor_pb2.INDEX_REBUILD_STATE_NONE: "no index was filled anew yet",
    ingestor_pb2.INDEX_REBUILD_STATE_READING: "reading documents again",
    ingestor_pb2.INDEX_REBUILD_STATE_ENCODING: "all documents are read; the last are encoded",
    ingestor_pb2.INDEX_REBUILD_STATE_FILLED: "filled",
}

index = group("Fill the search index anew, beside the live one.")


@index.command("rebuild")
@command
def rebuild(
    cli: Cli,
    swap: Annotated[
        bool, Option("--swap/--no-swap", help="Make the index live once it is filled.")
    ] = True,
) -> None:
    """Read every document again, as the live version of `ingestion` says, into a new index.

    Questions are answered from the live index meanwhile. Stopped, it goes on with the next call.
    """
    result = cli.run(lambda gyre: _rebuild(cli, gyre, swap=swap))
    filled = f"{result['documents']:,} documents are in {result['index']}"
    after = (
        f"which is live as {_ROLE} {result['version']}; {result['before']} is kept in step for "
        f"`gyre rollback {_ROLE}`, until `gyre index drop`"
        if swap
        else f"make it live with `gyre promote {_ROLE} {result['version']} --override`"
    )
    if skipped := result["documents_skipped"]:
        cli.out.note(f"{skipped:,} could not be read again, and are not: see the ingestor's log")
    cli.out.result(result, lambda: f"{filled}, {after}" if swap else f"{filled}: {after}")


@index.command("status")
@command
def status(cli: Cli) -> None:
    """Show which index is live, which is filled beside it, and how far that is."""

    async def state(gyre: "AsyncClient") -> dict[str, Any]:
        release = await _release(gyre)
        progress = await gyre.documents.index_rebuild()
        health = await gyre.health()
        return {
            "live": _index_of(release, release.live),
            "shadow": _index_of(release, release.shadow) if release.shadow else None,
            "rebuild": _WHAT[progress.state],
            "records_read": progress.records_read,
            "records": progress.records,
            "documents": progress.documents,
            "documents_behind": progress.documents_behind if release.shadow else 0,
            "problems": list(health["embedder"].problems),
        }

    now = cli.run(state)
    beside = f"beside it: {now['shadow']}" if now["shadow"] else "nothing is filled beside it"
    if behind := now["documents_behind"]:
        beside += f", {behind:,} changes behind"
    done = f" ({now['records_read']:,} of {now['records']:,} records)" if now["records"] else ""
    cli.out.result(
        now,
        lambda: Group(
            f"live: {now['live']}",
            beside,
            *(Text(escaped(problem), style="red") for problem in now["problems"]),
            f"last rebuild: {now['rebuild']}{done}",
        ),
    )


@index.command("drop")
@command
def drop(cli: Cli) -> None:
    """Fill no index beside the live one any more; a rebuild that is under way ends."""

    async def clear(gyre: "AsyncClient") -> str:
        release = await _release(gyre)
        if not release.shadow:
            raise FailedPrecondition("no index is filled beside the live one")
        name = _index_of(release, release.shadow)
        await gyre.releases.set_shadow(_ROLE, "", tenant=EVERY_TENANT)
        return name

    name = cli.run(clear)
    cli.out.result(
        {"index": name},
        lambda: (
            f"{name} is written no more, and may be deleted in Elasticsearch once nobody wants to "
            "roll back to it"
        ),
    )


async def _rebuild(cli: Cli, gyre: "AsyncClient", *, swap: bool) -> dict[str, Any]:
    version = await _prepare(gyre)
    rebuild_id = await _start(gyre)
    progress = await _follow(cli, gyre)
    release = await _release(gyre)
    before = _index_of(release, release.live)
    if swap:
        reason = f"index filled anew by rebuild {rebuild_id}"
        await gyre.releases.promote(
            _ROLE, version, override=True, reason=reason, tenant=EVERY_TENANT
        )
        release = await _release(gyre)
    return {
        "rebuild_id": rebuild_id,
        "version": version,
        "index": _index_of(release, version),
        "before": before,
        "documents": progress.documents,
        "documents_skipped": progress.documents_skipped,
        "live": swap,
    }


async def _prepare(gyre: "AsyncClient") -> str:
    """The version whose index is filled: the shadow that never was live, or a new one."""
    release = await _release(gyre)
    if release.shadow and release.shadow not in release.history:
        return release.shadow
    live = _artifact(release, release.live)
    vectors, stamp = live.fits or live.version, f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
    version = f"{vectors}-index-{stamp}"
    await gyre.releases.register_files(
        _ROLE,
        version,
        digest=live.digest,
        uri=live.uri,
        settings=live.settings,
        index=f"{_NUMBERED.sub('', live.index)}-{stamp}",  # a name that no index had before
        fits=vectors,
        reason="the same encoder, with an index of its own",
        tenant=EVERY_TENANT,
    )
    await gyre.releases.set_shadow(_ROLE, version, tenant=EVERY_TENANT)
    return version


async def _start(gyre: "AsyncClient") -> str:
    for _ in range(_HEARS_LATE):
        try:
            return await gyre.documents.start_index_rebuild()
        except FailedPrecondition:
            await asyncio.sleep(_POLL_SECONDS)
    return await gyre.documents.start_index_rebuild()


async def _follow(cli: Cli, gyre: "AsyncClient") -> ingestor_pb2.GetIndexRebuildResponse:
    """Until the index is filled."""
    with cli.out.bar() as bar:
        reading = bar.add_task("read", total=None)
        while True:
            progress = await gyre.documents.index_rebuild()
            bar.update(reading, completed=progress.records_read, total=progress.records or None)
            if progress.state in _READ:
                bar.update(reading, description="encoded")
            if progress.state == ingestor_pb2.INDEX_REBUILD_STATE_FILLED:
                return progress
            if not (await _release(gyre)).shadow:
                raise FailedPrecondition(
                    "the rebuild has ended: no index is filled beside the live one any more"
                )
            await asyncio.sleep(_POLL_SECONDS)


async def _release(gyre: "AsyncClient") -> "Release":
    return (await gyre.releases.list(_ROLE, tenant=EVERY_TENANT))[_ROLE]


def _artifact(release: "Release", version: str) -> "Artifact":
    return next(each for each in release.artifacts if each.version == version)


def _index_of(release: "Release", version: str) -> str:
    return _artifact(release, version).index
