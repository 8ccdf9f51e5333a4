"""The log of dead letters on a real broker keeps what every one promises."""

from collections.abc import AsyncIterator

import pytest
from gyre_common.bus.dead_letters import KafkaDeadLetters, open_dead_letters
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import new_id

from tests.bus_contract import message_topic
from tests.dead_letter_contract import DeadLetterLogContract

pytestmark = pytest.mark.integration


class TestKafkaDeadLetters(DeadLetterLogContract):
    @pytest.fixture
    async def topic(self, kafka_servers: str) -> str:
        topic = message_topic(f"test-letters.{new_id()}.v1")
        await ensure_topics(kafka_servers, [topic])
        return topic.name

    @pytest.fixture
    async def log(self, kafka_servers: str) -> AsyncIterator[KafkaDeadLetters]:
        async with open_dead_letters(kafka_servers) as letters:
            yield letters
