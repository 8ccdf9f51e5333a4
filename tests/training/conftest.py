"""What the training tests share."""

import os
from pathlib import Path

import pytest

# Before torch and DeepSpeed are imported: the tests are about the CPU, one thread a process.
os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.training.tiny_generators import a_language_model
from tests.training.tiny_runs import a_base


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder to start from; leave it as it is."""
    return a_base(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="session")
def tiny_language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random language model to start from; leave it as it is."""
    return a_language_model(tmp_path_factory.mktemp("llm") / "model")
