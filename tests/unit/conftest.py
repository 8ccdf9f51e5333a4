"""What the tests of all that is kept in a store share."""

from pathlib import Path
from uuid import uuid4

import pytest


@pytest.fixture(params=["file", "memory"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind."""
    return {"file": f"file://{tmp_path}/a store", "memory": f"memory://{uuid4().hex}"}[
        request.param
    ]
