"""`gyre train`, `runs` and `datasets` against a trainer whose verbs are fakes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gyre.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from gyre_common.events.event import EVERY_TENANT
from gyre_common.rpc import serve
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.data_set_store import FOLDER, DataSetStore
from gyre_trainer.data_sets.exporting import Exporting
from gyre_trainer.data_sets.frozen import FrozenDataSet
from gyre_trainer.forgetting import Forgetting
from gyre_trainer.rpc import TrainerRpc
from gyre_trainer.runs.folder import RunFolders
from gyre_trainer.runs.verbs import VerbFailed
from gyre_trainer.segments import FOLDER as SEGMENTS
from gyre_trainer.segments import Segments
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS

from tests.eventually import eventually
from tests.unit.trainer.answer_facts import never_rendered
from tests.unit.trainer.run_fakes import Stage, a_report
from tests.unit.trainer.training_facts import a_vote, an_interaction

DIGEST = f"sha256:{'ab' * 32}"


class RowsRedacted(telemetry_pb2_grpc.TelemetryServiceServicer):
    """A telemetry that rewrote two rows."""

    async def Redact(self, request: Any, context: Any) -> telemetry_pb2.RedactResponse:
        return telemetry_pb2.RedactResponse(rows={"interactions": 2, "feedback": 0})


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def segments(stage: Stage) -> Segments:
    return Segments(Shelf(f"file://{stage.path}/store", SEGMENTS))


@pytest.fixture
async def address(stage: Stage, segments: Segments) -> AsyncIterator[str]:
    data_sets = DataSetStore(stage.store, Shelf(f"file://{stage.path}/store", FOLDER))
    async with stage.conductor() as conductor:
        forgetting = Forgetting(
            segments,
            data_sets,
            RunFolders(stage.path / "runs", keep_newest=5),
            current_window=segments.durable,
            without_runs=conductor.without_runs,
        )
        exporting = Exporting(data_sets, segments, lambda _: never_rendered)
        rpc = TrainerRpc(conductor, stage.store, data_sets, exporting, forgetting)
        async with serve([rpc, RowsRedacted()]) as server:
            await server.set_serving(True)
            yield f"127.0.0.1:{server.port}"


async def start_command(address: str, *arguments: str) -> asyncio.subprocess.Process:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GYRE_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gyre_cli.main", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **environ,
            "GYRE_TRAINER_ADDRESS": address,
            "GYRE_TELEMETRY_ADDRESS": address,
            "GYRE_ACTOR": "bob",
        },
    )


async def gyre(address: str, *arguments: str) -> tuple[int, str, str]:
    process = await start_command(address, *arguments)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def data(address: str, *arguments: str) -> Any:
    code, out, err = await gyre(address, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


async def test_a_run_that_is_released_shows_its_gate_and_ends_well(address: str) -> None:
    code, out, err = await gyre(address, "train", "--profile", "demo", "--reason", "more votes")
    assert code == 0, err
    assert "overall       100" in out
    assert "+5.0  +3.0 to +7.0" in out
    assert "gate: passed: overall +5.0" in out
    assert "released: minilm-l6-v2-" in out
    assert "at work" in err
    (run,) = await data(address, "runs")
    assert (run["state"], run["actor"], run["reason"]) == ("released", "bob", "more votes")
    assert (run["profile"], run["votes"]) == ("demo", 12)


async def test_a_run_that_is_refused_ends_with_1_and_the_reason(stage: Stage, address: str) -> None:
    stage.verbs.report = a_report(gain=-0.05)
    code, out, err = await gyre(address, "train")
    assert code == 1
    assert "gate: refused" in out
    assert "refused: no gain overall: -5.0" in err.splitlines()[-1]


async def test_too_few_votes_are_one_clear_line(stage: Stage, address: str) -> None:
    stage.verbs.failing["prepare"] = VerbFailed("too few votes: 3 questions to train on")
    code, out, err = await gyre(address, "train", "--json")
    assert code == 1
    assert err.splitlines()[-1].endswith("failed: too few votes: 3 questions to train on")
    assert json.loads(out)["state"] == "failed"


async def test_a_detached_run_can_be_followed_and_stopped(stage: Stage, address: str) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    run = await data(address, "train", "--detach", "--hold", "--set", "epochs=2")
    assert run["state"] == "running"
    stopped = await data(address, "runs", run["run_id"], "--cancel")
    assert (stopped["state"], stopped["message"].partition(":")[0]) == (
        "cancelled",
        "stopped by bob",
    )
    stage.verbs.waits["train full"].set()
    code, out, err = await gyre(address, "train", "--resume", run["run_id"])
    assert code == 0, err
    assert "passed: minilm-l6-v2-" in out
    run_shown = await data(address, "runs", run["run_id"], "--follow")
    assert run_shown["report"]["verdict"] == "passed"
    assert run_shown["verdict"]["decision"] == "passed"


@pytest.mark.parametrize(
    ("option", "field"),
    [
        (("--set", "epochs=2"), "settings"),
        (("--hold",), "hold"),
        (("--profile", "demo"), "profile"),
        (("--recipe", "query-encoder"), "recipe"),
        (("--every-tenant",), "tenant"),
    ],
)
async def test_a_resumed_run_keeps_its_settings(
    stage: Stage, address: str, option: tuple[str, ...], field: str
) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    run = await data(address, "train", "--detach")
    await data(address, "runs", run["run_id"], "--cancel")
    code, _, err = await gyre(address, "train", "--detach", "--resume", run["run_id"], *option)
    assert code == 2
    assert f"{field} cannot change: a resumed run keeps its settings: start a new one" in err
    assert (await data(address, "runs"))[0]["state"] == "cancelled"


async def test_ctrl_c_lets_go_and_the_run_goes_on(stage: Stage, address: str) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    process = await start_command(address, "train")
    assert process.stderr is not None
    assert (await process.stderr.readline()).startswith(b"run ")
    await eventually(lambda: "train full" in stage.verbs.ran, timeout=30)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert b"the run goes on: `gyre runs " in err
    (run,) = await data(address, "runs")
    assert run["state"] == "running"


async def test_ctrl_c_before_the_trainer_replied_says_that_a_run_may_have_begun() -> None:
    called = asyncio.Event()
    silent = await asyncio.start_server(lambda *_: called.set(), "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        process = await start_command(f"127.0.0.1:{port}", "train")
        async with asyncio.timeout(30):
            await called.wait()
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 130
    assert b"the run may have begun: `gyre runs` shows it" in err


async def test_two_runs_at_once_name_the_first(stage: Stage, address: str) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    run = await data(address, "train", "--detach")
    code, _, err = await gyre(address, "train")
    assert code == 1
    assert f"run {run['run_id']} of bob trains query-encoder already" in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("train", "--recipe", "reranker"), 2, "recipe is unknown: use one of"),
        (("train", "--profile", "huge"), 2, "profile is unknown: use one of default, demo"),
        (("train", "--set", "epochs"), 2, "--set is epochs: write NAME=VALUE"),
        (("train", "--resume", "x"), 1, "no run has an id that begins with x: check it"),
        (("runs", "00000000-0000-0000-0000-000000000000"), 1, "there is no run 00000000-"),
        (("runs", "--cancel"), 2, "RUN is missing: name the run"),
        (("forget",), 2, "--actor is missing: name one subject"),
        (("forget", "--actor", "a", "--document", "b"), 2, "--actor is not the only subject"),
        (("redact", "--since", "last week"), 2, "--since"),
        (("redact",), 1, "personal data of default is kept, so there is nothing to rewrite"),
        (("datasets", "show", "abc"), 2, "send 8 or more of its hexadecimal digits"),
        (("datasets", "show", "abcdef0123"), 1, "there is no data set abcdef0123"),
    ],
)
async def test_wrong_usage_says_what_to_do(
    address: str, arguments: tuple[str, ...], code: int, says: str
) -> None:
    status, _, err = await gyre(address, *arguments)
    assert (status, says in err) == (code, True), err


async def test_without_training_packages_elsewhere_it_says_how_to_install_them(
    stage: Stage, address: str, tmp_path: Path
) -> None:
    stage.missing = ["torch"]
    code, _, err = await gyre(address, "train", "--home", str(tmp_path / "nobody"))
    assert code == 1
    assert (
        "training needs torch where the trainer runs: install them with `make setup-train`" in err
    )


async def test_data_sets_are_listed_and_shown_by_the_start_of_their_digest(
    stage: Stage, address: str
) -> None:
    card = {"train_questions": 120, "gate_questions": 60, "parts": {"gate": {"questions": 70}}}
    frozen = FrozenDataSet(digest=DIGEST, tenant="default", card=card, files={"card.json": b"{}"})
    data_sets = DataSetStore(
        Store(f"file://{stage.path}/store"), Shelf(f"file://{stage.path}/store", FOLDER)
    )
    await data_sets.keep(frozen, datetime(2026, 1, 1, tzinfo=UTC))
    (data_set,) = await data(address, "datasets", "list")
    assert (data_set["digest"], data_set["train_questions"]) == (DIGEST, 120)
    code, out, err = await gyre(address, "datasets", "show", "abababab")
    assert code == 0, err
    assert "parts.gate.questions" in out


async def test_a_person_is_forgotten_and_told_what_is_not(segments: Segments, address: str) -> None:
    interaction_records = [
        an_interaction(at, tenant="default", actor=actor) for at, actor in enumerate(("ann", "joe"))
    ]
    await segments.append(INTERACTIONS, 0, interaction_records)
    votes = [
        a_vote(one, 1, offset=at, actor=one.actor, tenant="default")
        for at, one in enumerate(interaction_records)
    ]
    await segments.append(FEEDBACK, 0, votes)
    code, out, err = await gyre(address, "forget", "--actor", "ann")
    assert code == 0, err
    assert out.startswith("removed: 1 questions, 1 votes and comments, 0 texts of passages")
    assert "ClickHouse and Kafka's topics still hold theirs" in out
    [remaining] = [part async for part in segments.facts(await segments.durable(), EVERY_TENANT)]
    assert (remaining.interactions, remaining.feedback) == ([interaction_records[1]], [votes[1]])


async def test_nobody_is_forgotten_while_a_run_goes_on(stage: Stage, address: str) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    run = await data(address, "train", "--detach")
    code, _, err = await gyre(address, "forget", "--actor", "ann")
    assert code == 1
    assert f"`gyre runs {run['run_id']} --cancel`" in err
    await data(address, "runs", run["run_id"], "--cancel")
    assert (await data(address, "forget", "--actor", "ann"))["interactions"] == 0


async def test_what_was_kept_before_is_redacted_and_versions_trained_since_are_listed(
    address: str, segments: Segments, masking: None
) -> None:
    record = an_interaction(tenant="default", question="I am ann@example.com")
    await segments.append(INTERACTIONS, 0, [record])
    code, out, err = await gyre(address, "redact", "--since", "2000-01-01")
    assert code == 0, err
    assert out.startswith("rewritten in ClickHouse: 2 of interactions\n")
    assert "training: 1 questions, 0 votes and comments; removed: 0 texts" in out
    assert "No version was trained since then." in out
    [after] = [part async for part in segments.facts(await segments.durable(), EVERY_TENANT)]
    assert after.interactions[0].question == "I am [EMAIL_ADDRESS]"

    run = await data(address, "train")
    code, out, err = await gyre(address, "redact", "--since", "2000-01-01")
    assert code == 0, err
    assert run["version"] in out
    [version] = (await data(address, "redact"))["versions"]
    assert (version["version"], version["run_id"]) == (run["version"], run["run_id"])
    assert (await data(address, "redact", "--since", "2999-01-01")).get("versions", []) == []
