"""`gyre releases`, `models`, `register` and the rest against a release controller that answers."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from gyre_cli.application import guarded
from gyre_cli.application import run as run_command_line
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import now
from gyre_common.events.releases import Artifact, Evidence, ReleaseChanged
from gyre_common.releases.builtin import (
    LANGUAGE_MODEL_SETTINGS,
    built_in_artifacts,
    digest_of_settings,
    shipped_artifacts,
)
from gyre_common.rpc import serve
from gyre_common.signature import Signature
from gyre_releases.book import ReleaseBook
from gyre_releases.draft import Changes
from gyre_releases.rpc import ReleaseRpc
from gyre_releases.scope import ReleaseScope
from gyre_releases.service import ReleaseController

from tests.fakes.probes import encoder_probes
from tests.language_models import a_gguf, an_adapter

ANN = Signature(actor="ann")
SMALL_MODEL = "smollm2-135m-instruct"
OWN = ReleaseScope("default", "default")


class Memory:
    """The release log, without a broker."""

    async def open(self) -> Sequence[ReleaseChanged]:
        return []

    async def append(self, changes: Changes) -> None:
        return


class Embedder:
    """Cannot load what is called broken."""

    served_by = "embedder"

    async def try_version(self, role: str, version: str) -> None:
        if version == "broken":
            raise FailedPrecondition("model.safetensors does not match its digest")


@pytest.fixture
async def controller() -> ReleaseController:
    controller = ReleaseController(
        Memory(), ReleaseBook(now), encoder_probes(Embedder()), patience_seconds=0.2
    )
    await controller.start(shipped_artifacts(now()), Signature(actor="gyre"))
    return controller


@pytest.fixture
async def serving(
    controller: ReleaseController, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    async with serve([ReleaseRpc(controller)]) as server:
        await server.set_serving(True)
        monkeypatch.setenv("GYRE_RELEASES_ADDRESS", f"127.0.0.1:{server.port}")
        yield


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command of bob's own, which has run no system."""
    for name in ("PORT_OFFSET", "TENANT", "KEYS", "DEBUG"):
        monkeypatch.setenv(f"GYRE_{name}", "")
    monkeypatch.setenv("GYRE_HOME", str(tmp_path))
    monkeypatch.setenv("GYRE_ACTOR", "bob")
    yield
    logging.disable(logging.NOTSET)


async def gyre(*arguments: str) -> tuple[int, str, str]:
    """The command with its own event loop, in a thread of this process."""

    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = await asyncio.to_thread(guarded, lambda: run_command_line(arguments))
    return code, out.getvalue(), err.getvalue()


async def output_of(*arguments: str) -> str:
    code, out, err = await gyre(*arguments)
    assert code == 0, err
    return out


def votes(version: str = "votes-1", gate: str = "passed") -> Artifact:
    return Artifact(
        version=version,
        digest=digest_of_settings({"version": version}),
        fits="minilm-l6-v2",
        evidence={Evidence.GATE: gate, Evidence.SUMMARY: "+3.1 points (1.2 to 5.0)"},
        registered_at=now(),
    )


def weights(version: str = "votes-1") -> Artifact:
    settings = {**built_in_artifacts(now())["retrieval"].settings, "dense_weight": "0.7"}
    return Artifact(
        version=version,
        digest=digest_of_settings(settings),
        fits=version,
        settings=settings,
        evidence={Evidence.GATE: "passed"},
        registered_at=now(),
    )


async def test_a_version_of_the_tenants_own_goes_live_and_back_with_its_weights(
    controller: ReleaseController, serving: None
) -> None:
    await controller.register("query-encoder", votes(), ANN, scope=OWN)
    await controller.register("retrieval", weights(), ANN, scope=OWN)
    out = await output_of("promote", "query-encoder", "votes-1", "--reason", "a try")
    assert "query-encoder: minilm-l6-v2 → votes-1, generation 1 → 2, for default" in out
    assert "retrieval: hybrid-1 → votes-1, went along" in out
    assert (await controller.state("*", "query-encoder")).live == "minilm-l6-v2"

    text = await output_of("releases", "query-encoder")
    row = next(line for line in text.splitlines() if line.startswith("votes-1"))
    assert row.split()[:4] == ["votes-1", "live", "passed", "minilm-l6-v2"]
    assert "+3.1 points (1.2 to 5.0)" in row
    assert "previous" in text
    assert "by bob: a try" in text

    back: dict[str, Any] = json.loads(await output_of("rollback", "query-encoder", "--json"))
    assert (back["before"], back["live"]) == ("votes-1", "minilm-l6-v2")
    assert back["went_along"] == {"retrieval": "hybrid-1"}
    assert 0 <= back["seconds"] < 10
    code, _, err = await gyre("rollback", "query-encoder")
    assert code == 1
    assert "default has nothing of its own to roll query-encoder back to" in err


async def test_what_no_gate_let_pass_needs_an_override_with_a_reason(
    controller: ReleaseController, serving: None
) -> None:
    await controller.register("query-encoder", votes(gate="failed"), ANN)
    promotion = ("promote", "query-encoder", "votes-1")
    code, _, err = await gyre(*promotion)
    assert code == 1
    assert "votes-1 did not pass its gate" in err
    code, _, err = await gyre(*promotion, "--override")
    assert code == 2
    assert "reason is missing: say why" in err
    out = await output_of(*promotion, "--override", "--reason", "a demonstration")
    assert "for every tenant" in out
    text = await output_of("releases", "query-encoder", "--every-tenant")
    assert "no gate let it pass: bob wanted it (a demonstration)" in text


async def test_an_encoder_that_does_not_load_is_refused_and_live_stays(
    controller: ReleaseController, serving: None
) -> None:
    await controller.register("query-encoder", votes("broken"), ANN)
    code, _, err = await gyre("promote", "query-encoder", "broken")
    assert code == 1
    assert "what is live stays: model.safetensors does not match its digest" in err
    assert (await controller.state("*", "query-encoder")).live == "minilm-l6-v2"


async def test_settings_alone_make_a_version_that_waits_to_be_promoted(
    controller: ReleaseController, serving: None
) -> None:
    registration = (
        "register",
        "retrieval",
        "hybrid-2",
        "--set",
        "candidates=80",
        "--from",
        "hybrid-1",
    )
    assert "retrieval hybrid-2 is registered, hybrid-1 stays live" in await output_of(*registration)
    hybrid = (await controller.state("*", "retrieval")).artifact("hybrid-2")
    assert hybrid is not None
    assert hybrid.settings["candidates"] == "80"
    assert hybrid.evidence["registered_by"] == "bob"
    for arguments, says in (
        (("--set", "candidates"), "--set is candidates: write NAME=VALUE"),
        (("--set", "candidate=80"), "not understood here: candidate"),
    ):
        code, _, err = await gyre("register", "retrieval", "hybrid-3", *arguments)
        assert (code, says in err) == (2, True), err


async def test_a_folder_of_weights_is_kept_registered_shown_and_removed(
    controller: ReleaseController, serving: None, tmp_path: Path
) -> None:
    out = await output_of("models", "add", str(a_gguf(tmp_path / "mine")), "--name", "mine")
    assert "mine is registered, extractive-1 stays live" in out
    artifact, live = await controller.version("generator", "mine")
    answering = {"answers_at": "0.4", "unsupported": "drop"}
    assert artifact.settings == {"backend": "openai", "model": "mine", **answering}
    assert not live
    assert artifact.uri is not None
    assert Path(artifact.uri.removeprefix("file://")).is_file()
    listed = await output_of("models", "list")
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [SMALL_MODEL, "mine"]
    assert artifact.digest in await output_of("models", "show", "mine")
    assert "no longer registered" in await output_of("models", "remove", "mine")
    code, _, err = await gyre("models", "show", "mine")
    assert (code, "there is no model mine" in err) == (1, True)


async def test_an_adapter_stands_on_a_registered_model_which_then_stays(
    controller: ReleaseController, serving: None, tmp_path: Path
) -> None:
    adapter = str(an_adapter(tmp_path / "adapter", base_model_name_or_path="unheard-of"))
    code, _, err = await gyre("models", "add", adapter, "--name", "tuned")
    assert (code, f"--base is unheard-of: name one of {SMALL_MODEL}" in err) == (2, True)
    other = {"base_model_name_or_path": "mine", "revision": "sha256:" + "a" * 64}
    elsewhere = str(an_adapter(tmp_path / "elsewhere", **other))
    code, _, err = await gyre("models", "add", elsewhere, "--name", "x", "--base", SMALL_MODEL)
    assert (code, "was trained on mine with the digest sha256:aaaa" in err) == (1, True), err
    await output_of("models", "add", adapter, "--name", "tuned", "--base", SMALL_MODEL)
    assert f"adapter on {SMALL_MODEL}" in await output_of("models", "list")
    tuned, _ = await controller.version("generator", "tuned")
    named = {"model": "tuned", "base": SMALL_MODEL}
    assert tuned.settings == {**LANGUAGE_MODEL_SETTINGS, **named}
    for name in (SMALL_MODEL, "extractive-1"):
        assert (await gyre("models", "remove", name))[0] == 1


async def test_a_version_that_answers_otherwise_has_the_same_weights(serving: None) -> None:
    await output_of(
        "register", "generator", "strict", "--from", SMALL_MODEL, "--set", "unsupported=hold"
    )
    await output_of(
        *("register", "generator", "elsewhere", "--set", "backend=openai"),
        *("--set", "model=Qwen/Qwen3-8B", "--set", "temperature=0.2"),
        *("--set", "context_tokens=500"),
    )
    rows = (await output_of("models", "list")).splitlines()[1:]
    kinds = {name: kind for name, kind, *_ in (row.split() for row in rows)}
    assert kinds == {SMALL_MODEL: "weights", "strict": "weights", "elsewhere": "hosted"}


async def test_what_cannot_be_served_is_refused_before_it_is_kept(
    serving: None, tmp_path: Path
) -> None:
    (a_gguf(tmp_path / "mine") / "weights.pkl").write_bytes(b"x")
    code, _, err = await gyre("models", "add", str(tmp_path / "mine"), "--name", "mine")
    assert (code, "may be a pickle" in err) == (1, True)
    assert not (tmp_path / "store").exists()
