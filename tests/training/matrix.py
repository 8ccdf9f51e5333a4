"""What `make training` runs and CI has no time for: the whole of a table of which CI runs a row."""

import os

import pytest

MATRIX = bool(os.environ.get("GYRE_TRAINING_MATRIX"))
LONG = pytest.mark.skipif(not MATRIX, reason="the long matrix: make training")
