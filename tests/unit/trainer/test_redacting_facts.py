"""What was kept before a tenant chose to redact is rewritten, and what held it goes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import InteractionCompleted, Turn
from gyre_common.personal_data import Redaction
from gyre_common.redaction import events
from gyre_common.redaction.choices import Choices
from gyre_trainer import forgetting
from gyre_trainer.segments.facts import InteractionFact

from tests.builders import MORNING, a_retrieved_chunk
from tests.unit.trainer.make_store import a_question
from tests.unit.trainer.test_forgetting import Room

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
SOMEBODY = "@example.com"
PASSAGE = "Questions about kettles that leak go to ann@example.com, at any time of the day."


def a_personal_question(number: int, tenant: str) -> InteractionCompleted:
    return a_question(
        number,
        tenant=tenant,
        question=f"I am q{number}@example.com, whom do I ask?",
        query=f"earlier: q{number}@example.com",
        history=(Turn(role="user", content=f"I am h{number}@example.com"),),
        answer=f"Ask a{number}@example.com",
        prompt=f"Passages: {PASSAGE}\nI am q{number}@example.com",
        retrieved=(
            *a_question(number).retrieved,
            a_retrieved_chunk(
                chunk_id=UUID(int=950), document_id="kettles.md", text=PASSAGE, rank=9
            ),
        ),
    )


@pytest.fixture
async def room(tmp_path: Path) -> Room:
    """Two tenants wrote the same kinds of words; acme has a data set and a run's folder."""
    room = Room(tmp_path)
    numbers = range(36)
    await room.collect(
        [a_personal_question(n, "acme" if n % 3 else "other") for n in numbers]
        + [a_question(n, tenant="acme") for n in range(100, 120)]
    )
    await room.freeze("acme")
    return room


def choose(monkeypatch: pytest.MonkeyPatch, choice: Redaction) -> None:
    choices = Choices(of_tenants={"acme": choice})
    for module in (events, forgetting):
        monkeypatch.setattr(module, "choices", lambda: choices)


def of_acme(facts: list[InteractionFact]) -> list[InteractionFact]:
    return [fact for fact in facts if fact.tenant == "acme" and fact.query]


async def interactions(room: Room) -> list[InteractionFact]:
    return [fact for fact in await room.facts() if isinstance(fact, InteractionFact)]


async def test_facts_and_passages_of_a_tenant_are_rewritten(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await interactions(room)
    choose(monkeypatch, Redaction.MASK)
    done = await room.forgetting.redact("acme", ALWAYS)
    after = await interactions(room)

    assert (done.interactions, done.passages, done.runs) == (24, 1, 1)
    assert SOMEBODY not in repr(of_acme(after))
    assert [one for one in after if one.tenant == "other"] == [
        one for one in before if one.tenant == "other"
    ]
    assert [fact.offset for fact in after] == [fact.offset for fact in before]
    fact = of_acme(after)[0]
    assert fact.answer == "Ask [EMAIL_ADDRESS]"
    texts = await room.segments.passages.get("acme", [one.text for one in fact.shown])
    assert texts[fact.shown[-1].text] == PASSAGE.replace("ann@example.com", "[EMAIL_ADDRESS]")
    assert fact.prompt_with(texts) == (
        f"Passages: {texts[fact.shown[-1].text]}\nI am [EMAIL_ADDRESS]"
    )


async def test_nothing_personal_of_the_tenant_is_left_in_the_store(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, Redaction.DROP)
    await room.forgetting.redact("acme", ALWAYS)
    assert room.holds("q1@example.com") == room.holds("a2@example.com") == []
    assert {Path(path).parent.name for path in room.holds("ann@example.com")} == {"other"}
    assert room.holds("a3@example.com")


async def test_doing_it_again_changes_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, Redaction.MASK)
    await room.forgetting.redact("acme", ALWAYS)
    once = await interactions(room)
    again = await room.forgetting.redact("acme", ALWAYS)
    assert (again.interactions, again.passages) == (0, 0)
    assert await interactions(room) == once


async def test_a_data_set_that_refers_to_a_passage_of_before_expires(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, Redaction.MASK)
    done = await room.forgetting.redact("acme", ALWAYS)
    stored = await room.data_sets.of_tenant("acme")
    assert sum(one.expired_at is not None for one in stored) == done.data_sets


async def test_what_is_older_stays(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, Redaction.MASK)
    before = await interactions(room)
    done = await room.forgetting.redact("acme", MORNING + timedelta(days=365))
    assert (done.interactions, done.passages) == (0, 0)
    assert await interactions(room) == before


async def test_a_tenant_that_keeps_personal_data_has_nothing_to_rewrite(room: Room) -> None:
    with pytest.raises(FailedPrecondition, match="set GYRE_PERSONAL_DATA"):
        await room.forgetting.redact("acme", ALWAYS)


async def test_an_interrupted_rewrite_is_done_by_the_next(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, Redaction.MASK)
    replace = room.segments._files.replace
    replaced: list[object] = []

    async def replace_once(*arguments: object) -> None:
        if replaced:
            raise ConnectionError
        replaced.append(arguments)
        await replace(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(room.segments._files, "replace", replace_once)
        with pytest.raises(ConnectionError):
            await room.forgetting.redact("acme", ALWAYS)
    done = await room.forgetting.redact("acme", ALWAYS)
    assert 0 < done.interactions < 24
    assert SOMEBODY not in repr(of_acme(await interactions(room)))
    assert {Path(path).parent.name for path in room.holds("ann@example.com")} == {"other"}
