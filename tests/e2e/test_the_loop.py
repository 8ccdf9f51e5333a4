"""The loop on a real system: votes become a release behind the gate, and one command undoes it."""

from typing import Any
from uuid import uuid4

import clickhouse_connect
import pytest
from gyre_client import Addresses, AsyncClient, Caller

from tests.eventually import eventually
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ENCODER = "query-encoder"
ROLLBACK_SECONDS = 10.0


def error_of(system: System, *arguments: str) -> str:
    """The one line that says why."""
    done = system.gyre(*arguments, check=False)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_votes_become_a_release_that_is_better_and_no_worse_where_nobody_voted(demo: Any) -> None:
    assert demo["released"]
    assert demo["run"]["state"] == "released"
    assert demo["run"]["profile"] == "demo"
    assert demo["run"]["verdict"]["decision"] == "passed"
    assert 0 < demo["crowd"]["wrong"] < demo["crowd"]["ups"]
    assert demo["quality"]["all"]["low"] > 0
    assert demo["quality"]["new"]["gain"] > -0.01
    assert demo["last_vote_to_live_seconds"] > 0


def test_a_rollback_brings_the_old_ranking_back_within_seconds(demo: Any) -> None:
    assert demo["rollback"]["seconds"] < ROLLBACK_SECONDS
    assert demo["ranking_as_before"] == demo["rankings_compared"]


def test_only_the_demonstrations_tenant_has_the_trained_version(system: System, demo: Any) -> None:
    (own,) = system.json("releases", ENCODER, "--tenant", demo["tenant"])
    (ours,) = system.json("releases", ENCODER)

    assert own["live"] == demo["run"]["version"]
    assert ours["live"] == demo["run"]["base"]


def test_the_run_and_its_data_set_can_be_looked_at(system: System, demo: Any) -> None:
    here = ("--tenant", demo["tenant"])
    runs = system.json("runs", *here)
    data_sets = system.json("datasets", "list", *here)
    card = system.json("datasets", "show", demo["run"]["data_set"], *here)

    assert [run["run_id"] for run in runs] == [demo["run"]["run_id"]]
    assert [one["digest"] for one in data_sets] == [demo["run"]["data_set"]]
    assert card["card"]["profile"] == "demo"


async def test_the_run_learned_from_as_many_votes_as_people_are_told_of(
    system: System, demo: Any
) -> None:
    addresses = Addresses.on("127.0.0.1", port_offset=system.ports.offset)
    async with AsyncClient(addresses, Caller(tenant=demo["tenant"])) as gyre:
        [waiting_votes] = [row async for row in gyre.history.series("waiting_votes")]
        run = await gyre.runs.get(demo["run"]["run_id"])
    crowd = demo["crowd"]
    assert crowd["clicks"] > 0
    assert waiting_votes["votes"] == run.votes == crowd["ups"] + crowd["downs"]
    assert waiting_votes["waiting"] == 0


async def test_analysts_see_the_run_and_how_long_the_loop_took(system: System, demo: Any) -> None:
    client = await clickhouse_connect.get_async_client(
        host="127.0.0.1", port=system.ports.clickhouse, username="analyst"
    )

    async def row(view: str) -> dict[str, Any] | None:
        rows = await client.query(
            f"SELECT * FROM {view} WHERE run_id = {{id:UUID}}",
            parameters={"id": demo["run"]["run_id"]},
        )
        return next(iter(rows.named_results()), None)

    async def landed() -> dict[str, Any] | None:
        return await row("gyre.loop")

    loop = await eventually(landed, timeout=30)
    run = await row("gyre.training_runs FINAL")
    await client.close()
    assert loop["version"] == demo["run"]["version"]
    assert loop["gain_low"] > 0
    assert 0 < loop["lead_seconds"] <= demo["last_vote_to_live_seconds"] + 1
    assert run is not None
    assert (run["state"], run["decision"]) == ("passed", "passed")
    assert run["gain_low"] == loop["gain_low"]
    assert run["data_set"] == demo["run"]["data_set"]


def test_a_version_that_no_gate_let_pass_is_not_promoted(system: System, demo: Any) -> None:
    here = ("--tenant", demo["tenant"])
    unproved = f"unproved-{uuid4().hex[:6]}"
    system.gyre("register", "retrieval", unproved, "--set", "dense_weight=0.1", *here)

    assert unproved in error_of(system, "promote", "retrieval", unproved, *here)
    assert "nobody-made-it" in error_of(system, "promote", ENCODER, "nobody-made-it", *here)
    (own,) = system.json("releases", ENCODER, *here)
    assert own["live"] == demo["run"]["version"]
