"""The small model that ships with Gyre goes live, answers, outlives its engine, and goes back."""

import os
import signal
from pathlib import Path
from time import monotonic

import pytest
from gyre_common.model_folders import SHIPPED_MODELS
from gyre_common.releases.builtin import LANGUAGE_MODEL_FILE, LANGUAGE_MODEL_VERSION

from tests.system import System

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (SHIPPED_MODELS / LANGUAGE_MODEL_VERSION / LANGUAGE_MODEL_FILE).is_file(),
        reason="needs `make setup-llm`",
    ),
]

QUESTION = "How hot should the water for green tea be?"
READER = "extractive-1"
HERE = ("--tenant", "language-model")
"""A tenant of its own: what other tests ask is answered as before, from their documents."""


def answered_by(system: System) -> str:
    answer = system.json("ask", QUESTION, *HERE)
    assert answer["answer"].strip()
    return str(answer["versions"]["generator"])


def test_it_is_promoted_answers_and_is_rolled_back(system: System, tea: Path) -> None:
    system.gyre("submit", str(tea), *HERE)
    assert system.process("language-model").status == "at rest"
    assert answered_by(system) == READER
    promoted = system.json("promote", "generator", LANGUAGE_MODEL_VERSION, *HERE)
    try:
        assert promoted["live"] == LANGUAGE_MODEL_VERSION
        assert system.process("language-model").status == "ready"
        assert answered_by(system) == LANGUAGE_MODEL_VERSION
        engine = system.process("language-model").identity
        assert engine is not None
        os.kill(engine.pid, signal.SIGKILL)
        assert answered_by(system) == LANGUAGE_MODEL_VERSION  # started and loaded again, for this
    finally:
        began = monotonic()
        system.gyre("rollback", "generator", *HERE)
    assert monotonic() - began < 10
    assert answered_by(system) == READER
