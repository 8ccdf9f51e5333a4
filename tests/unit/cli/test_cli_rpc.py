"""A broken connection is told by the address that nobody answers at, and by no other."""

from pathlib import Path

import pytest
from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub
from gyre.trainer.v1 import trainer_pb2
from gyre.trainer.v1.trainer_pb2_grpc import TrainerServiceStub
from gyre_cli.rpc import connected
from gyre_cli.settings import settings_for
from gyre_common.errors import Unavailable
from gyre_common.rpc import call

NOBODY, SOMEBODY_ELSE = "127.0.0.1:1", "127.0.0.1:2"


async def test_of_connections_within_one_another_the_broken_one_is_named(tmp_path: Path) -> None:
    settings = settings_for(home=tmp_path)
    with pytest.raises(Unavailable, match=f"nothing answers at {NOBODY}:"):
        async with (
            connected(IngestorServiceStub, SOMEBODY_ELSE, settings),
            connected(TrainerServiceStub, NOBODY, settings) as trainer,
        ):
            await call(trainer.ListRuns, trainer_pb2.ListRunsRequest())
