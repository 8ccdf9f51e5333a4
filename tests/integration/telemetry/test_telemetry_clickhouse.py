"""Schema, sink and views on the real engine."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from gyre_common.errors import FailedPrecondition, Poison, Retryable
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import GuardrailResult, InteractionCompleted, Turn
from gyre_telemetry import translation
from gyre_telemetry.clickhouse import ClickHouseSink, open_clickhouse
from gyre_telemetry.handlers import build_handlers
from gyre_telemetry.history_reader import VIEWS
from gyre_telemetry.migrations import Migration, default_folder, migrate, read_migrations
from gyre_telemetry.service import TableRow, Telemetry
from gyre_telemetry.translation import Origin

from tests.builders import (
    EXAMPLES,
    MORNING,
    a_document_indexed,
    a_feedback,
    a_release,
    a_retrieved_chunk,
    a_training_end,
    a_training_start,
    a_verdict,
    an_interaction,
)
from tests.fakes.bus import MemoryBus

pytestmark = pytest.mark.integration


def origin(event_id: UUID | None = None) -> Origin:
    return Origin(event_id or uuid4(), MORNING, "4bf92f3577b34da6a3ce929d0e0e4736", offset=7)


@pytest.fixture
async def client(
    clickhouse_url: str, clickhouse_login: tuple[str, str]
) -> AsyncIterator[AsyncClient]:
    user, password = clickhouse_login
    async with open_clickhouse(clickhouse_url, user=user, password=password) as client:
        await migrate(client, read_migrations(default_folder()))
        yield client


@pytest.fixture
async def telemetry(client: AsyncClient) -> Telemetry:
    return Telemetry(await ClickHouseSink.open(client))


def one(event: InteractionCompleted) -> dict[str, Any]:
    return {"tenant": event.tenant, "id": event.interaction_id}


async def first(client: AsyncClient, query: str, **parameters: object) -> dict[str, Any]:
    result = await client.query(query, parameters=parameters)
    [row] = result.named_results()
    return dict(row)


ANSWER = "SELECT * FROM gyre.answers WHERE tenant = {tenant:String} AND interaction_id = {id:UUID}"


async def test_every_table_view_and_column_says_what_it_is(client: AsyncClient) -> None:
    for catalogue in ("tables", "columns"):
        bare = await client.query(
            f"SELECT * FROM system.{catalogue} WHERE database = 'gyre' AND comment = ''"
        )
        assert not bare.result_rows


async def test_migrating_again_changes_nothing(client: AsyncClient) -> None:
    migrations = read_migrations(default_folder())
    before = (await client.query("SELECT * FROM gyre.migrations FINAL ORDER BY ALL")).result_rows
    await migrate(client, migrations)
    after = (await client.query("SELECT * FROM gyre.migrations FINAL ORDER BY ALL")).result_rows
    assert before == after
    assert len(after) >= len(migrations)


async def test_a_changed_migration_is_refused(client: AsyncClient) -> None:
    migrations = read_migrations(default_folder())
    changed = Migration(migrations[0].name, migrations[0].sql + "\n-- one word more")
    with pytest.raises(FailedPrecondition, match="was changed after it was applied"):
        await migrate(client, [changed, *migrations[1:]])


async def test_two_services_may_start_at_once(client: AsyncClient, clickhouse_url: str) -> None:
    name = f"9000_{uuid4().hex[:8]}.sql"
    table = f"gyre.at_once_{uuid4().hex[:8]}"
    sql = f"CREATE TABLE IF NOT EXISTS {table} (x Int8) ENGINE = Memory COMMENT 'of a test';"
    new = [*read_migrations(default_folder()), Migration(name, sql)]
    await asyncio.gather(*(migrate(client, new) for _ in range(4)))
    row = await first(
        client, "SELECT count() AS n FROM gyre.migrations FINAL WHERE name = {n:String}", n=name
    )
    assert row["n"] == 1
    await client.command(f"DROP TABLE {table}")
    await client.command(f"DELETE FROM gyre.migrations WHERE name = '{name}'")


async def test_an_interaction_comes_back_as_it_went_in(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    event = an_interaction(
        tenant="round-trip",
        question="Wie heiß?\n茶",
        retrieved=(a_retrieved_chunk(), a_retrieved_chunk(rank=2, used=False, scores={})),
        history=(Turn(role="user", content="Grün?"), Turn(role="assistant", content="Ja.")),
        guardrails=(GuardrailResult(name="grounded", passed=True),),
    )
    await telemetry.record(translation.interaction_completed(event, origin()))
    row = await first(client, "SELECT * FROM gyre.interactions FINAL WHERE tenant = 'round-trip'")
    assert row["question"] == event.question
    assert row["versions"] == dict(event.versions)
    assert row["latency_ms"] == event.latency_ms
    assert row["citations"] == [citation.model_dump() for citation in event.citations]
    assert row["history"] == [turn.model_dump() for turn in event.history]
    assert row["guardrails"] == [guardrail.model_dump() for guardrail in event.guardrails]
    assert (row["error"], row["prompt_version"]) == ("", event.prompt_version)
    chunks = await client.query(
        "SELECT rank, scores, used FROM gyre.retrieved_chunks FINAL "
        "WHERE tenant = 'round-trip' ORDER BY rank"
    )
    assert chunks.result_rows == [(1, event.retrieved[0].scores, True), (2, {}, False)]


async def test_a_replay_changes_nothing(client: AsyncClient, telemetry: Telemetry) -> None:
    event = an_interaction(tenant="replay", interaction_id=uuid4())
    about = {"tenant": "replay", "interaction_id": event.interaction_id}
    for _ in range(3):
        await telemetry.record(translation.interaction_completed(event, origin(UUID(int=1))))
        await telemetry.record(
            translation.interaction_judged(a_verdict(**about), origin(UUID(int=2)))
        )
        await telemetry.record(
            translation.feedback_received(a_feedback(**about), origin(UUID(int=3)))
        )
        await telemetry.record(
            translation.release_changed(a_release(tenant="replay"), origin(UUID(int=4)))
        )
        await telemetry.record(
            translation.document_indexed(a_document_indexed(tenant="replay"), origin(UUID(int=5)))
        )
    for table, rows in {
        "interactions": 1,
        "retrieved_chunks": 1,
        "judgements": 3,
        "feedback": 1,
        "releases": 1,
        "documents": 1,
    }.items():
        row = await first(
            client, f"SELECT count() AS n FROM gyre.{table} FINAL WHERE tenant = 'replay'"
        )
        assert row["n"] == rows, table
    answer = await first(client, ANSWER, **one(event))
    assert (answer["thumbs_up"], answer["groundedness"], answer["trace_id"][:4]) == (1, 1.0, "4bf9")


async def test_feedback_may_come_first_and_the_latest_word_counts(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    event = an_interaction(tenant="votes", interaction_id=uuid4())
    feedback_values: list[dict[str, object]] = [
        {"value": "down"},
        {"value": "up", "received_at": MORNING + timedelta(hours=2)},
        {"value": "down", "actor": "reader-2"},
        {"value": "up", "actor": ""},
        {"value": "up", "actor": ""},
        {"kind": "rating", "value": "4"},
        {"kind": "correction", "value": "75 °C", "comment": "softer"},
        {"kind": "chunk", "value": "down", "target": "c1"},
    ]
    about = {"tenant": "votes", "interaction_id": event.interaction_id}
    for word in feedback_values:
        feedback = a_feedback(**{**about, "feedback_id": uuid4(), **word})
        await telemetry.record(translation.feedback_received(feedback, origin()))
    await telemetry.record(translation.interaction_completed(event, origin()))
    answer = await first(client, ANSWER, **one(event))
    assert (answer["thumbs_up"], answer["thumbs_down"]) == (3, 1)
    assert (answer["rating"], answer["corrections"]) == (4.0, ["75 °C"])
    assert (answer["comments"], answer["chunk_votes"]) == (["softer"], {"c1": -1})


async def test_the_newest_verdict_stands(client: AsyncClient, telemetry: Telemetry) -> None:
    event = an_interaction(tenant="verdicts", interaction_id=uuid4())
    about = {"tenant": "verdicts", "interaction_id": event.interaction_id}
    await telemetry.record(translation.interaction_completed(event, origin()))
    unjudged = await first(client, ANSWER, **one(event))
    assert (unjudged["groundedness"], unjudged["judge_version"]) == (None, "")
    newer = a_verdict(
        **about,
        judge_version="baseline-2",
        judged_at=MORNING + timedelta(days=1),
        scores=({"metric": "groundedness", "value": 0.25}, {"metric": "tone", "value": None}),
    )
    await telemetry.record(translation.interaction_judged(newer, origin()))
    await telemetry.record(translation.interaction_judged(a_verdict(**about), origin()))
    answer = await first(client, ANSWER, **one(event))
    assert (answer["judge_version"], answer["groundedness"]) == ("baseline-2", 0.25)
    assert answer["scores"] == {"groundedness": 0.25, "tone": None}
    assert answer["context_precision"] is None


async def test_the_views_add_up(client: AsyncClient, telemetry: Telemetry) -> None:
    tenant = "views"
    for i, outcome in enumerate(["answered", "answered", "abstained", "error"]):
        event = an_interaction(
            tenant=tenant,
            interaction_id=uuid4(),
            outcome=outcome,
            cost_usd=0.5,
            latency_ms={"total": 10.0 * (i + 1)},
        )
        await telemetry.record(translation.interaction_completed(event, origin()))
        about = {"tenant": tenant, "interaction_id": event.interaction_id, "feedback_id": uuid4()}
        vote = a_feedback(**about, value="up" if i == 0 else "down")
        await telemetry.record(translation.feedback_received(vote, origin()))
    for seconds, deleted in [(1, False), (3, False), (9, True)]:
        document = a_document_indexed(
            tenant=tenant,
            document_id=str(seconds),
            deleted=deleted,
            searchable_at=MORNING + timedelta(seconds=seconds),
        )
        await telemetry.record(translation.document_indexed(document, origin()))

    day = await first(client, "SELECT * FROM gyre.daily_quality WHERE tenant = 'views'")
    assert [day[name] for name in ("interactions", "answered", "abstained", "failed")] == [
        4,
        2,
        1,
        1,
    ]
    assert (day["thumbs_up"], day["thumbs_down"], day["approval"]) == (1, 3, 0.25)
    assert 10 <= day["p50_ms"] <= 40
    versions = await client.query(
        "SELECT role, version, interactions FROM gyre.version_quality "
        "WHERE tenant = 'views' ORDER BY role"
    )
    assert versions.result_rows == [
        ("generator", "extractive-1", 4),
        ("query-encoder", "minilm-l6-v2", 4),
        ("retrieval", "hybrid-1", 4),
    ]
    cost = await first(client, "SELECT * FROM gyre.cost WHERE tenant = 'views'")
    assert (cost["cost_usd"], cost["cost_per_answer"], cost["prompt_tokens"]) == (2.0, 1.0, 96)
    fresh = await first(client, "SELECT * FROM gyre.freshness WHERE tenant = 'views'")
    assert (fresh["documents"], fresh["max_seconds"]) == (2, 3.0)


async def test_what_is_drawn_by_day_and_by_version_adds_up(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    for day, version, ms in (
        (0, "g-1", 10.0),
        (0, "g-1", 10.0),
        (0, "g-2", 50.0),
        (1, "g-2", 70.0),
    ):
        event = an_interaction(
            tenant="charts",
            interaction_id=uuid4(),
            versions={"generator": version, "judge": "j-1"},
            outcome="answered" if ms < 50 else "abstained",
            cost_usd=0.5,
            latency_ms={"retrieve": 4.0, "total": ms},
            completed_at=MORNING + timedelta(days=day),
        )
        await telemetry.record(translation.interaction_completed(event, origin()))
        about = {"tenant": "charts", "interaction_id": event.interaction_id}
        vote = a_feedback(**about, feedback_id=uuid4(), value="up" if ms < 70 else "down")
        await telemetry.record(translation.feedback_received(vote, origin()))
        await telemetry.record(translation.interaction_judged(a_verdict(**about), origin()))

    async def rows(columns: str, view: str) -> list[tuple[Any, ...]]:
        select = f"SELECT {columns} FROM gyre.{view} WHERE tenant = 'charts' ORDER BY ALL"
        return [tuple(row) for row in (await client.query(select)).result_rows]

    today, tomorrow = MORNING.date(), (MORNING + timedelta(days=1)).date()
    columns = (
        "day, role, version, interactions, answered, abstained, judged, thumbs_up, thumbs_down, "
        "prompt_tokens, cost_usd, p95_ms"
    )
    assert await rows(columns, "daily_version_quality") == [
        (today, "generator", "g-1", 2, 2, 0, 2, 2, 0, 48, 1.0, 10.0),
        (today, "generator", "g-2", 1, 0, 1, 1, 1, 0, 24, 0.5, 50.0),
        (today, "judge", "j-1", 3, 2, 1, 3, 3, 0, 72, 1.5, 50.0),
        (tomorrow, "generator", "g-2", 1, 0, 1, 1, 0, 1, 24, 0.5, 70.0),
        (tomorrow, "judge", "j-1", 1, 0, 1, 1, 0, 1, 24, 0.5, 70.0),
    ]
    assert await rows("day, stage, interactions, p50_ms, p95_ms", "daily_latency") == [
        (today, "retrieve", 3, 4.0, 4.0),
        (today, "total", 3, 10.0, 50.0),
        (tomorrow, "retrieve", 1, 4.0, 4.0),
        (tomorrow, "total", 1, 70.0, 70.0),
    ]
    assert await rows("role, version, stage, interactions, p50_ms", "version_latency") == [
        ("generator", "g-1", "retrieve", 2, 4.0),
        ("generator", "g-1", "total", 2, 10.0),
        ("generator", "g-2", "retrieve", 2, 4.0),
        ("generator", "g-2", "total", 2, 50.0),
        ("judge", "j-1", "retrieve", 4, 4.0),
        ("judge", "j-1", "total", 4, 10.0),
    ]


async def test_an_explored_passage_says_so_and_what_came_before_was_certain(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    event = an_interaction(
        tenant="explored",
        interaction_id=uuid4(),
        retrieved=(
            a_retrieved_chunk(propensity=0.9),
            a_retrieved_chunk(rank=2, explored=True, propensity=0.05),
        ),
    )
    await telemetry.record(translation.interaction_completed(event, origin()))
    columns = "tenant, interaction_id, event_id, time, rank"
    await client.command(  # as an older service wrote it
        f"INSERT INTO gyre.retrieved_chunks ({columns}) "
        "VALUES ('explored', generateUUIDv4(), generateUUIDv4(), now64(3), 3)"
    )
    result = await client.query(
        "SELECT rank, explored, propensity FROM gyre.retrieved_chunks FINAL "
        "WHERE tenant = 'explored' ORDER BY rank"
    )
    assert result.result_rows == [(1, False, 0.9), (2, True, 0.05), (3, False, 1.0)]


async def test_a_run_is_one_row_whatever_order_its_news_come_in(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    news = [
        translation.training_finished(a_training_end(tenant="runs"), origin()),
        translation.training_started(a_training_start(tenant="runs"), origin()),
    ]
    for rows in news:
        await telemetry.record(rows)
    run = await first(client, "SELECT * FROM gyre.training_runs FINAL WHERE tenant = 'runs'")
    assert (run["state"], run["votes"], run["actor"]) == ("passed", 1042, "ann")
    assert (run["decision"], run["gain"], run["gain_low"]) == ("passed", 3.1, 1.2)
    assert run["window"] == {"feedback.received.v1/0": "0-1042"}


async def test_the_loop_tells_how_long_a_vote_took_to_go_live_and_what_it_was_worth(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    tenant = "the-loop"
    await telemetry.record(translation.training_finished(a_training_end(tenant=tenant), origin()))
    shipped = a_release().artifacts[0].model_dump()
    trained = {**shipped, "version": "votes-1", "evidence": {"gate": "passed"}}
    changes = [
        ("minilm-l6-v2", "registered votes-1", 100),
        ("votes-1", "passed the gate", 270),
        ("votes-1", "registered another", 300),
        ("minilm-l6-v2", "rolled back", 400),
        ("votes-1", "once more", 500),
    ]
    for generation, (live, reason, seconds) in enumerate(changes, start=1):
        change = a_release(
            tenant=tenant,
            role="query-encoder",
            generation=generation,
            live=live,
            reason=reason,
            artifacts=[{**shipped, "version": "minilm-l6-v2"}, trained],
            changed_at=MORNING + timedelta(seconds=seconds),
        )
        await telemetry.record(translation.release_changed(change, origin()))
    row = await first(client, "SELECT * FROM gyre.loop WHERE tenant = 'the-loop'")
    assert (row["version"], row["votes"], row["reason"]) == ("votes-1", 1042, "passed the gate")
    assert (row["lead_seconds"], row["training_seconds"]) == (300.0, 270.0)
    assert (row["gain"], row["gain_low"], row["gain_high"]) == (3.1, 1.2, 5.0)
    assert row["metric"] == "nDCG@10 × 100"
    assert (row["overridden_by"], row["is_live"]) == ("", True)
    assert row["replaced_at"].replace(tzinfo=UTC) == MORNING + timedelta(seconds=400)


async def test_the_loop_tells_the_same_of_runs_that_are_older_than_verdicts(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    metrics = {"ndcg_gain": 0.031, "ndcg_gain_low": 0.012, "ndcg_gain_high": 0.05}
    old = a_training_end(tenant="old", outcome="released", verdict=None, metrics=metrics)
    await telemetry.record(translation.training_finished(old, origin()))
    change = a_release(
        tenant="old",
        role="query-encoder",
        live="votes-1",
        artifacts=[{**a_release().artifacts[0].model_dump(), "version": "votes-1"}],
    )
    await telemetry.record(translation.release_changed(change, origin()))
    row = await first(client, "SELECT * FROM gyre.loop WHERE tenant = 'old'")
    assert (row["gain"], row["gain_low"], row["gain_high"]) == pytest.approx((3.1, 1.2, 5.0))
    assert row["metric"] == "nDCG@10 × 100"


async def test_what_was_released_without_a_gate_names_who_did_it(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    end = a_training_end(tenant="override", verdict=None, outcome="refused")
    await telemetry.record(translation.training_finished(end, origin()))
    change = a_release(
        tenant="override",
        role="query-encoder",
        live="votes-1",
        artifacts=[{**a_release().artifacts[0].model_dump(), "version": "votes-1"}],
        evidence={"override": "bob", "why": "a demonstration"},
    )
    await telemetry.record(translation.release_changed(change, origin()))
    row = await first(client, "SELECT * FROM gyre.loop WHERE tenant = 'override'")
    assert (row["overridden_by"], row["gain"], row["replaced_at"]) == ("bob", None, None)


async def test_votes_wait_until_a_judged_run_has_learned_from_them(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    tenant, interaction = "waiting", uuid4()
    words: list[dict[str, Any]] = [
        {"actor": "ann", "value": "down"},
        {"actor": "bob", "minutes": 10},
        {"actor": "bob", "minutes": 20, "kind": "chunk", "target": str(uuid4())},
        {"actor": "cas", "minutes": 30},
        {"actor": "cas", "minutes": 30, "kind": "comment", "value": ""},
        {"actor": "cas", "minutes": 35, "kind": "correction", "value": "At 80 degrees."},
        {"actor": "ann", "minutes": 40, "value": "up"},
    ]
    for word in words:
        received_at = MORNING + timedelta(minutes=word.pop("minutes", 0))
        about = {"tenant": tenant, "interaction_id": interaction, "feedback_id": uuid4()}
        vote = a_feedback(**about, received_at=received_at, **word)
        await telemetry.record(translation.feedback_received(vote, origin()))
    query = "SELECT * FROM gyre.waiting_votes WHERE tenant = 'waiting'"
    row = await first(client, query)
    assert (row["votes"], row["waiting"], row["learned_until"]) == (5, 5, None)
    assert row["last_vote_at"].replace(tzinfo=UTC) == MORNING + timedelta(minutes=40)

    until = MORNING + timedelta(minutes=20)
    for outcome, last in (("refused", until), ("failed", MORNING + timedelta(minutes=40))):
        end = a_training_end(tenant=tenant, run_id=uuid4(), outcome=outcome, last_vote_at=last)
        await telemetry.record(translation.training_finished(end, origin()))
    row = await first(client, query)
    assert (row["votes"], row["waiting"]) == (5, 3)
    assert row["learned_until"].replace(tzinfo=UTC) == until


async def test_who_changed_what_is_live_stands_in_a_row_a_change(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    shipped = a_release().artifacts[0].model_dump()
    run_id = uuid4()
    evidence = {"gate": "passed", "run": str(run_id)}
    artifacts = [
        {**shipped, "version": "minilm-l6-v2"},
        {**shipped, "version": "votes-1", "evidence": evidence},
    ]
    changes: list[tuple[str, str, dict[str, str]]] = [
        ("minilm-l6-v2", "releases", {}),
        ("minilm-l6-v2", "registers", {}),
        ("votes-1", "ann", evidence),
        ("votes-1", "registers", evidence),
        ("minilm-l6-v2", "bob", {}),
    ]
    for generation, (live, actor, spoke) in enumerate(changes, start=1):
        change = a_release(
            tenant="changes",
            role="query-encoder",
            generation=generation,
            live=live,
            actor=actor,
            artifacts=artifacts,
            evidence=spoke,
        )
        await telemetry.record(translation.release_changed(change, origin()))
    columns = "generation, live, replaced, actor, run_id, gate"
    result = await client.query(
        f"SELECT {columns} FROM gyre.release_changes WHERE tenant = 'changes' ORDER BY generation"
    )
    assert result.result_rows == [
        (1, "minilm-l6-v2", "", "releases", "", ""),
        (3, "votes-1", "minilm-l6-v2", "ann", str(run_id), "passed"),
        (5, "minilm-l6-v2", "votes-1", "bob", "", ""),
    ]


async def test_a_tenants_first_version_of_its_own_replaces_that_of_the_default(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    registers = "run 1: registered votes-1"
    changes = [
        ("*", 1, "minilm-l6-v2", "releases", "first version"),
        ("first-own", 1, "minilm-l6-v2", "registers", registers),
        ("first-own", 2, "votes-1", "ann", "better"),
        ("at-once", 1, "votes-1", "bob", "better"),
    ]
    for minute, (tenant, generation, live, actor, reason) in enumerate(changes):
        change = a_release(
            tenant=tenant,
            role="reranker",
            generation=generation,
            live=live,
            actor=actor,
            reason=reason,
            changed_at=MORNING + timedelta(minutes=minute),
        )
        await telemetry.record(translation.release_changed(change, origin()))
    result = await client.query(
        "SELECT tenant, live, replaced, actor FROM gyre.release_changes "
        "WHERE role = 'reranker' ORDER BY time"
    )
    assert result.result_rows == [
        ("*", "minilm-l6-v2", "", "releases"),
        ("first-own", "votes-1", "minilm-l6-v2", "ann"),
        ("at-once", "votes-1", "minilm-l6-v2", "bob"),
    ]


async def test_the_example_of_every_topic_fits_its_table(telemetry: Telemetry) -> None:
    for topic, translate in translation.TRANSLATIONS:
        await telemetry.record(translate(EXAMPLES[topic.name], origin()))


async def test_a_value_that_never_fits_is_poison(client: AsyncClient) -> None:
    sink = await ClickHouseSink.open(client)
    [row] = translation.feedback_received(a_feedback(tenant="poison"), origin())
    with pytest.raises(Poison):
        await sink.insert("feedback", [TableRow("feedback", {**row.values, "time": "yesterday"})])
    row = next(iter(translation.interaction_judged(a_verdict(tenant="poison"), origin())))
    with pytest.raises(Poison):
        await sink.insert("judgements", [TableRow("judgements", {**row.values, "value": "good"})])


async def test_a_row_that_the_engine_refuses_is_parked_alone_and_the_others_are_there_once(
    client: AsyncClient,
) -> None:
    rule = f"no_{uuid4().hex[:8]}"
    tenant = f"refused-{uuid4().hex[:8]}"
    check = f"CHECK tenant != '{tenant}' OR comment != 'unfit'"
    await client.command(f"ALTER TABLE gyre.feedback ADD CONSTRAINT {rule} {check}")
    try:
        async with MemoryBus() as bus:
            telemetry = Telemetry(await ClickHouseSink.open(client))
            build_handlers(bus, telemetry, records=100, wait=0.01)
            comments = [*map(str, range(9)), "unfit", *map(str, range(9, 15))]
            events = [
                a_feedback(tenant=tenant, feedback_id=uuid4(), comment=each) for each in comments
            ]
            await bus.deliver(FEEDBACK_RECEIVED, *events)
            assert [b"unfit" in (one.raw.value or b"") for one in bus.parked] == [True]
            assert "code 469" in bus.parked[0].cause.message
        result = await client.query(
            "SELECT comment, count() FROM gyre.feedback FINAL WHERE tenant = {t:String} GROUP BY 1",
            parameters={"t": tenant},
        )
        assert {str(comment): count for comment, count in result.result_rows} == dict.fromkeys(
            set(comments) - {"unfit"}, 1
        )
    finally:
        await client.command(f"ALTER TABLE gyre.feedback DROP CONSTRAINT {rule}")


async def test_a_batch_of_more_months_than_the_engine_likes_is_written(
    client: AsyncClient, telemetry: Telemetry
) -> None:
    tenant = f"months-{uuid4().hex[:8]}"
    rows = [
        row
        for months in range(120)
        for row in translation.feedback_received(
            a_feedback(
                tenant=tenant,
                feedback_id=uuid4(),
                received_at=MORNING - timedelta(days=31 * months),
            ),
            origin(),
        )
    ]
    await telemetry.record(rows)
    row = await first(
        client, "SELECT count() AS n FROM gyre.feedback WHERE tenant = {t:String}", t=tenant
    )
    assert row["n"] == 120


async def test_a_table_that_is_missing_can_be_mended_so_it_waits(client: AsyncClient) -> None:
    sink = ClickHouseSink(client, {"feedback": (await types(client, "feedback"))})
    [row] = translation.feedback_received(a_feedback(tenant="missing"), origin())
    await client.command("RENAME TABLE gyre.feedback TO gyre.feedback_away")
    try:
        with pytest.raises(Retryable):
            await sink.insert("feedback", [row])
    finally:
        await client.command("RENAME TABLE gyre.feedback_away TO gyre.feedback")
    await sink.insert("feedback", [row])


async def types(client: AsyncClient, table: str) -> dict[str, str]:
    result = await client.query(
        "SELECT name, type FROM system.columns WHERE database = 'gyre' AND table = {t:String}",
        parameters={"t": table},
    )
    return {str(name): str(kind) for name, kind in result.result_rows}


async def test_no_clickhouse_is_something_to_wait_for() -> None:
    with pytest.raises(Retryable, match="ClickHouse"):
        async with open_clickhouse("http://127.0.0.1:9", user="default", password=""):
            pass


async def test_the_analyst_reads_the_views(client: AsyncClient, clickhouse_url: str) -> None:
    async with open_clickhouse(clickhouse_url, user="analyst", password="") as analyst:
        for view in ("answers", *VIEWS):
            await analyst.query(f"SELECT * FROM gyre.{view} LIMIT 1")


def test_the_packaged_migrations_are_those_of_the_repository() -> None:
    assert (default_folder() / "0001_tables.sql").is_file()
    assert Path("infra/clickhouse/migrations").resolve() == default_folder().resolve()
