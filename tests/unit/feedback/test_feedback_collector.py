"""Feedback is on the topic, once, before anybody hears that it was taken."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from gyre_common.errors import InvalidInput, Unavailable
from gyre_common.events.event import Event
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackKind, FeedbackReceived
from gyre_common.events.topic import Topic
from gyre_feedback_collector.checks import Submission
from gyre_feedback_collector.service import FeedbackCollector

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
INTERACTION = "019b8d5e-7c00-7000-8000-000000000002"


class FakePublisher:
    def __init__(self) -> None:
        self.published: list[tuple[Topic[Any], Event, UUID | None]] = []
        self.down = False

    async def publish(
        self, topic: Topic[Any], event: Event, *, event_id: UUID | None = None
    ) -> None:
        if self.down:
            raise Unavailable("Kafka does not answer")
        self.published.append((topic, event, event_id))

    async def retire(self, topic: Topic[Any], key: str) -> None:
        raise AssertionError("feedback is never taken back")


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def collector(publisher: FakePublisher) -> FeedbackCollector:
    return FeedbackCollector(publisher, clock=lambda: NOON)


def a_thumb(**fields: Any) -> Submission:
    defaults: dict[str, Any] = {
        "tenant": "acme",
        "interaction_id": INTERACTION,
        "value": "up",
        "actor": "u1",
    }
    return Submission(kind=FeedbackKind.THUMB, **{**defaults, **fields})


async def test_a_golden_correction_is_published_as_one(
    collector: FeedbackCollector, publisher: FakePublisher
) -> None:
    golden = replace(a_thumb(golden=True, value="tea"), kind=FeedbackKind.CORRECTION)
    await collector.submit(golden)
    [(_, event, _)] = publisher.published
    assert isinstance(event, FeedbackReceived)
    assert event.golden


async def test_personal_data_in_a_comment_is_not_published(
    collector: FeedbackCollector, publisher: FakePublisher, masking: None
) -> None:
    correction = a_thumb(value="Call +41 71 526 99 04", comment="says ann@example.com")
    await collector.submit(replace(correction, kind=FeedbackKind.CORRECTION))
    [(_, event, _)] = publisher.published
    assert isinstance(event, FeedbackReceived)
    assert event.value == "Call [PHONE_NUMBER]"
    assert event.comment == "says [EMAIL_ADDRESS]"


async def test_a_vote_is_published_under_its_own_id(
    collector: FeedbackCollector, publisher: FakePublisher
) -> None:
    feedback_id = await collector.submit(a_thumb(comment="good"))
    expected = FeedbackReceived(
        tenant="acme",
        feedback_id=feedback_id,
        interaction_id=UUID(INTERACTION),
        kind=FeedbackKind.THUMB,
        value="up",
        comment="good",
        actor="u1",
        received_at=NOON,
    )
    assert publisher.published == [(FEEDBACK_RECEIVED, expected, feedback_id)]


async def test_a_retry_with_the_same_key_is_the_same_feedback(
    collector: FeedbackCollector,
) -> None:
    first = await collector.submit(a_thumb(idempotency_key="k1"))
    assert await collector.submit(a_thumb(idempotency_key="k1")) == first


async def test_a_key_that_came_with_another_word_is_refused(
    collector: FeedbackCollector, publisher: FakePublisher
) -> None:
    await collector.submit(a_thumb(idempotency_key="k1"))
    with pytest.raises(InvalidInput, match="idempotency_key was sent before") as refused:
        await collector.submit(a_thumb(idempotency_key="k1", value="down"))
    assert refused.value.field == "idempotency_key"
    assert len(publisher.published) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"idempotency_key": "k2"},
        {"idempotency_key": "k1", "actor": "u2"},
        {"idempotency_key": "k1", "tenant": "other"},
        {"idempotency_key": "k1", "interaction_id": INTERACTION[:-1] + "3"},
        {"idempotency_key": ""},
    ],
)
async def test_a_key_means_something_to_one_actor_of_one_tenant_on_one_answer(
    collector: FeedbackCollector, other: dict[str, str]
) -> None:
    first = await collector.submit(a_thumb(idempotency_key="k1"))
    assert await collector.submit(a_thumb(**other)) != first


async def test_without_a_key_every_word_counts(collector: FeedbackCollector) -> None:
    assert await collector.submit(a_thumb()) != await collector.submit(a_thumb())


async def test_a_vote_on_an_answer_nobody_has_seen_yet_is_accepted(
    collector: FeedbackCollector, publisher: FakePublisher
) -> None:
    await collector.submit(a_thumb(interaction_id="00000000-0000-7000-8000-000000000000"))
    assert len(publisher.published) == 1


async def test_nothing_is_recorded_of_a_broken_vote(
    collector: FeedbackCollector, publisher: FakePublisher
) -> None:
    with pytest.raises(InvalidInput):
        await collector.submit(a_thumb(value="maybe"))
    assert publisher.published == []


async def test_the_caller_hears_that_kafka_is_down(
    collector: FeedbackCollector, publisher: FakePublisher
) -> None:
    publisher.down = True
    with pytest.raises(Unavailable):
        await collector.submit(a_thumb())
