"""`gyre models`: the language models that may answer: added with their files, shown, removed."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from gyre_client.errors import FailedPrecondition, InvalidInput
from gyre_client.releases import EVERY_TENANT
from rich.table import Table
from typer import Argument, Option

from gyre_cli.command import Cli, Reason, command, group
from gyre_cli.output import minute, plain, table

if TYPE_CHECKING:
    from gyre.releases.v1.releases_pb2 import Artifact, Release

_ROLE = "generator"
_SERVED = "openai"
_ANSWERING = ("answers_at", "unsupported")
"""Settings as of the model that is shipped: the model's mood does not decide whether there is an
answer, and what no passage supports does not leave. `gyre register … --set` makes versions that do
otherwise.
"""

models = group("Look after the language models that may answer.")

Name = Annotated[str, Argument(help="As `gyre models list` names it.")]


@models.command("list")
@command
def list_models(cli: Cli) -> None:
    """Show the language models that are registered."""
    release = _generators(cli)
    artifacts = _language_models(release)
    cli.out.result(
        [{**plain(one), "state": _state(release, one)} for one in artifacts],
        lambda: _table(release, artifacts),
    )


@models.command("show")
@command
def show(cli: Cli, name: Name) -> None:
    """Show one model: where its files are, what it stands on, what speaks for it."""
    release = _generators(cli)
    artifact = _model(release, name)
    cli.out.result(
        {**plain(artifact), "state": _state(release, artifact)}, lambda: _card(release, artifact)
    )


@models.command("add")
@command
def add(
    cli: Cli,
    folder: Annotated[
        Path, Argument(help="With a GGUF file, with safetensors, or with a LoRA adapter of PEFT.")
    ],
    name: Annotated[str, Option(help="A name that is not taken.")],
    base: Annotated[
        str, Option(help="For an adapter: the model that it stands on [what it names itself].")
    ] = "",
    reason: Reason = "",
) -> None:
    """Check a folder of weights, keep it in the store and register it for every tenant.

    It is not live yet.
    """
    from gyre_common.model_folders import keep_model
    from gyre_common.store import Store

    folder = folder.expanduser().absolute()
    settings, size = _checked(cli, folder, name, base)
    store = os.environ.get("GYRE_STORE_URL") or f"file://{cli.settings.home}/store"
    with cli.out.notes.status(f"keeping {size // 1_000_000} MB"):
        stored = asyncio.run(keep_model(Store(store), folder))
    release = cli.run(
        lambda gyre: gyre.releases.register_files(
            _ROLE,
            name,
            digest=stored.digest,
            uri=stored.uri,
            settings=settings,
            reason=reason,
            tenant=EVERY_TENANT,
        )
    )
    artifact = _model(release, name)
    cli.out.result(
        plain(artifact),
        lambda: (
            f"{name} is registered, {release.live} stays live\n"
            f"make it live: gyre promote {_ROLE} {name} --override --reason '…'"
        ),
    )


@models.command("remove")
@command
def remove(cli: Cli, name: Name, reason: Reason = "") -> None:
    """Forget a model that is not live, never was, and on which no other one stands.

    Its files stay in the store.
    """
    _model(_generators(cli), name)
    release = cli.run(
        lambda gyre: gyre.releases.remove(_ROLE, name, reason=reason, tenant=EVERY_TENANT)
    )
    cli.out.result(plain(release), lambda: f"{name} is no longer registered")


def _checked(cli: Cli, folder: Path, name: str, base: str) -> tuple[dict[str, str], int]:
    """The settings of the version, and how large it is. Raises FailedPrecondition."""
    from gyre_common.language_model_files import (
        ADAPTER_CONFIG,
        read_adapter,
        read_language_model,
    )
    from gyre_common.releases.builtin import LANGUAGE_MODEL_SETTINGS

    answering = {setting: LANGUAGE_MODEL_SETTINGS[setting] for setting in _ANSWERING}
    settings = {"backend": _SERVED, "model": name, **answering}
    if not (folder / ADAPTER_CONFIG).is_file():
        if base:
            raise InvalidInput("--base", "is given", "leave it out: this is no adapter")
        return settings, read_language_model(folder).size_bytes
    adapter = read_adapter(folder)
    base = base or adapter.base
    known = {one.version: one for one in _language_models(_generators(cli))}
    if base not in known:
        raise InvalidInput(
            "--base", f"is {base or 'not known'}", f"name one of {', '.join(known) or 'none'}"
        )
    if adapter.base_digest not in ("", known[base].digest):
        raise FailedPrecondition(
            f"the adapter was trained on {adapter.base} with the digest {adapter.base_digest}, and "
            f"{base} has {known[base].digest}: name the model with those files by --base"
        )
    # It was trained to answer as its base does.
    inherited = {**settings, **known[base].settings}
    return {**inherited, "model": name, "base": base}, adapter.size_bytes


def _generators(cli: Cli) -> "Release":
    return cli.run(lambda gyre: gyre.releases.list(_ROLE))[_ROLE]


def _language_models(release: "Release") -> "list[Artifact]":
    return [one for one in release.artifacts if one.settings.get("backend") == _SERVED]


def _model(release: "Release", name: str) -> "Artifact":
    artifacts = _language_models(release)
    for artifact in artifacts:
        if artifact.version == name:
            return artifact
    names = ", ".join(one.version for one in artifacts) or "none"
    raise FailedPrecondition(f"there is no model {name}: registered are {names}")


def _state(release: "Release", artifact: "Artifact") -> str:
    if artifact.version == release.live:
        return "live"
    return "was live" if artifact.version in release.history else ""


def _kind(artifact: "Artifact") -> str:
    if base := artifact.settings.get("base"):
        return f"adapter on {base}"
    from gyre_common.releases.builtin import digest_of_settings

    is_hosted = artifact.digest == digest_of_settings(dict(artifact.settings))
    return "hosted" if is_hosted else "weights"


def _table(release: "Release", artifacts: "Sequence[Artifact]") -> Table:
    rows = table("MODEL", "STATE", "KIND", "REGISTERED", "DIGEST")
    for one in artifacts:
        digest = one.digest.removeprefix("sha256:")[:12]
        at = minute(one.registered_at)
        rows.add_row(one.version, _state(release, one), _kind(one), at, digest)
    return rows


def _card(release: "Release", artifact: "Artifact") -> Table:
    rows = table("FACT", "VALUE")
    facts = {
        "model": artifact.version,
        "state": _state(release, artifact) or "registered",
        "kind": _kind(artifact),
        "digest": artifact.digest,
        "files": artifact.uri or "ships with Gyre, or at the model server",
        "registered": minute(artifact.registered_at),
        **{f"setting {name}": value for name, value in sorted(artifact.settings.items())},
        **dict(sorted(artifact.evidence.items())),
    }
    for name, value in facts.items():
        rows.add_row(name, value)
    return rows
