"""The log of dead letters in memory keeps what every one promises."""

import pytest

from tests.dead_letter_contract import DeadLetterLogContract
from tests.fakes.dead_letters import MemoryDeadLetters


class TestMemoryDeadLetters(DeadLetterLogContract):
    @pytest.fixture
    def log(self) -> MemoryDeadLetters:
        return MemoryDeadLetters()

    @pytest.fixture
    def topic(self) -> str:
        return "tea.v1"
