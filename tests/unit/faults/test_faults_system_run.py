"""What the clients of a fault run ask for, and how what the stores hold of it is judged."""

from dataclasses import replace

import pytest
from gyre_local.ports import SERVICES

from tests.faults.harness.entries import DOCUMENTS, FEEDBACK, STORES, entry_of
from tests.faults.harness.history import Act, Kind
from tests.faults.harness.injection import ENGINES, possible
from tests.faults.harness.planned_acts import (
    TENANTS,
    Mix,
    planned_documents,
    planned_release,
    planned_vote,
    question_of,
    shown_vote,
)
from tests.faults.harness.schedule import FaultKind, schedule
from tests.faults.harness.stores import Contents, judged

SEED, TENANT = 3, TENANTS[0]
ACTS = planned_documents(SEED, 400)


def test_a_tenth_is_documents_a_tenth_answers_and_the_rest_votes() -> None:
    mix = Mix.of(20_000)
    assert (mix.documents, mix.answers, mix.votes) == (2_000, 2_000, 16_000)


def test_a_tenth_of_the_documents_replace_or_delete_one_of_those_before() -> None:
    first: dict[str, int] = {}
    changes = []
    for number, act in enumerate(ACTS):
        if act.document in first:
            assert first[act.document] < number
            changes.append(act)
        first.setdefault(act.document, number)
    assert len(changes) == len(ACTS) // 10
    assert {act.kind for act in changes} == {Kind.SUBMIT, Kind.DELETE}


def test_the_same_seed_asks_for_the_same() -> None:
    assert planned_documents(SEED, 400) == ACTS
    assert planned_documents(SEED + 1, 400) != ACTS
    for plan in (question_of, planned_vote, planned_release):
        assert plan(SEED, 17) == plan(SEED, 17)


def test_sixty_kills_hit_every_service_and_engine_three_times() -> None:
    faults = schedule(SEED, 20_000, possible(60).plans)
    kills = [fault.target for fault in faults if fault.kind is FaultKind.KILL]
    assert len(kills) == 60
    assert all(kills.count(target) >= 3 for target in (*SERVICES, *ENGINES))


def a_vote(number: int, voter: str = "voter-1") -> Act:
    return Act(
        kind=Kind.VOTE,
        tenant=TENANT,
        key=f"answer-1/thumb/answer/{voter}",
        id=f"vote-act-{number}",
        value=shown_vote("up", f"vote-act-{number}"),
        at=float(number),
        acknowledged_at=number + 0.5,
    )


def a_row(act: Act, store: str = FEEDBACK) -> dict[str, str]:
    kind = act.key.split("/")
    return {
        "tenant": act.tenant,
        "interaction_id": kind[0],
        "kind": kind[1],
        "target": kind[2],
        "actor": kind[3],
        "feedback_id": f"{store} {act.id}",
        "value": "up",
        "comment": act.id,
    }


VOTES = [a_vote(1), a_vote(2)]
RANKS = {act.id: number for number, act in enumerate(VOTES)}
VOTE_STORES = [store for store, kinds in STORES.items() if Kind.VOTE in kinds]
HELD = Contents(
    log=[],
    rows=[
        entry_of(store, store, a_row(act, store), act.id, RANKS)
        for act in VOTES
        for store in VOTE_STORES
    ],
    documents={},
    chunks={},
    words={(TENANT, VOTES[1].key): VOTES[1].value},
    live=[],
    facts=[act.id for act in VOTES],
    parked=[],
    parked_records=0,
)


def test_votes_that_are_everywhere_and_in_their_order_are_clean() -> None:
    assert judged(VOTES, HELD, []).clean


@pytest.mark.parametrize(
    ("contents", "broken"),
    [
        (replace(HELD, rows=HELD.rows[:-1]), "lost"),
        (replace(HELD, rows=[*HELD.rows, HELD.rows[0]]), "duplicated"),
        (replace(HELD, facts=HELD.facts[:1]), "untrained"),
        (replace(HELD, words={(TENANT, VOTES[1].key): VOTES[0].value}), "reordered"),
        (replace(HELD, words={}), "lost"),
    ],
)
def test_each_way_in_which_votes_go_wrong_is_seen(contents: Contents, broken: str) -> None:
    assert broken in judged(VOTES, contents, []).broken


def test_a_passage_that_outlives_its_document_is_seen() -> None:
    submitted = Act(
        kind=Kind.SUBMIT,
        tenant=TENANT,
        key="d",
        id="document-act-1",
        value="sha",
        at=1,
        acknowledged_at=2,
    )
    deleted = replace(
        submitted, kind=Kind.DELETE, id="document-act-2", value="", at=3.0, acknowledged_at=4.0
    )
    rows = [
        replace(HELD.rows[0], store=DOCUMENTS, kind=Kind.SUBMIT, key="d", act=act.id, id=act.id)
        for act in (submitted, deleted)
    ]
    rows = [replace(row, value="") for row in rows]
    gone = replace(HELD, rows=rows, words={}, facts=[], documents={(TENANT, "d"): ""})
    acts = [submitted, deleted]
    assert judged(acts, gone, []).clean
    left = replace(gone, chunks={(TENANT, "d"): submitted.id})
    assert "reordered" in judged(acts, left, []).broken
