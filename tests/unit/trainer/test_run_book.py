"""What is known of runs follows from their events alone."""

from datetime import timedelta
from uuid import UUID

import pytest
from gyre_common.errors import Conflict, NotFound
from gyre_common.events.training import (
    RunOutcome,
    TrainingFinished,
    TrainingProgressed,
    TrainingStarted,
)
from gyre_trainer.runs.book import RunBook

from tests.unit.trainer.run_fakes import NOON

ONE, TWO = UUID(int=1), UUID(int=2)


def started(run_id: UUID = ONE, tenant: str = "default", minute: int = 0) -> TrainingStarted:
    return TrainingStarted(
        tenant=tenant,
        run_id=run_id,
        recipe="query-encoder",
        role="query-encoder",
        actor="ann",
        started_at=NOON + timedelta(minutes=minute),
    )


def progressed(stage: str, step: int = 0, run_id: UUID = ONE) -> TrainingProgressed:
    return TrainingProgressed(
        tenant="default",
        run_id=run_id,
        recipe="query-encoder",
        role="query-encoder",
        stage=stage,
        step=step,
        steps=10,
        metrics={"loss": 0.5},
        at=NOON,
    )


def finished(outcome: RunOutcome, run_id: UUID = ONE) -> TrainingFinished:
    return TrainingFinished(
        tenant="default",
        run_id=run_id,
        recipe="query-encoder",
        role="query-encoder",
        outcome=outcome,
        message="because",
        started_at=NOON,
        finished_at=NOON,
    )


def a_book(*events: TrainingStarted | TrainingProgressed | TrainingFinished) -> RunBook:
    book = RunBook()
    book.apply(events)
    return book


def test_a_run_is_where_its_last_event_says() -> None:
    run = a_book(started(), progressed("full", 3)).run(ONE, "default")
    assert (run.state, run.stage, run.step, run.metrics) == ("running", "full", 3, {"loss": 0.5})
    run = a_book(started(), progressed("gate"), finished(RunOutcome.REFUSED)).run(ONE, "default")
    assert (run.state, run.message) == ("refused", "because")


def test_a_resumed_run_is_running_again_since_it_first_began() -> None:
    book = a_book(
        started(), progressed("full", 3), finished(RunOutcome.INTERRUPTED), started(minute=5)
    )
    run = book.run(ONE, "default")
    assert (run.stage, run.step) == ("", 0)
    assert (run.state, run.finished, run.started_at) == ("running", None, NOON)
    assert [one.run_id for one in book.unfinished()] == [ONE]


def test_progress_after_the_end_or_of_nothing_known_changes_nothing() -> None:
    book = a_book(
        started(), finished(RunOutcome.FAILED), progressed("full"), progressed("full", run_id=TWO)
    )
    assert book.run(ONE, "default").stage == ""
    assert len(book.runs("default")) == 1


def test_a_tenant_sees_its_own_runs_and_those_for_all_newest_first() -> None:
    book = a_book(
        started(), started(TWO, "*", minute=1), started(UUID(int=3), tenant="acme", minute=2)
    )
    assert [run.run_id for run in book.runs("default")] == [TWO, ONE]
    with pytest.raises(NotFound, match="gyre runs"):
        book.run(UUID(int=3), "default")


def test_a_role_that_is_trained_is_not_free_for_the_same_tenant() -> None:
    book = a_book(started(), progressed("full"))
    with pytest.raises(Conflict, match=rf"run {ONE} of ann trains query-encoder already \(full\)"):
        book.check_free("default", "query-encoder")
    book.check_free("acme", "query-encoder")
    book.check_free("default", "reranker")
