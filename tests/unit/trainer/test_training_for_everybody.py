"""What trains the default of all tenants is begun and stopped with a key for all of them."""

from pathlib import Path
from typing import Any

import pytest
from gyre.trainer.v1 import trainer_pb2
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import PermissionDenied
from gyre_trainer.rpc import TrainerRpc

from tests.unit.trainer.run_fakes import Stage, a_new_run, ended

ACME = RequestContext(tenant="acme", is_for_every_tenant=False)


async def test_a_key_for_one_tenant_trains_that_and_no_other(tmp_path: Path) -> None:
    stage, unused = Stage(tmp_path), None
    context: Any = None
    async with stage.conductor() as conductor:
        rpc = TrainerRpc(conductor, stage.store, unused, unused, unused)  # type: ignore[arg-type]
        everybodys = await ended(conductor, (await conductor.start(a_new_run(tenant="*"))).run_id)
        with use_context(ACME):
            for call in (
                rpc.StartRun(trainer_pb2.StartRunRequest(tenant="*"), context),
                rpc.StartRun(trainer_pb2.StartRunRequest(resume=str(everybodys.run_id)), context),
                rpc.CancelRun(trainer_pb2.CancelRunRequest(run_id=str(everybodys.run_id)), context),
            ):
                with pytest.raises(PermissionDenied, match="everybody's and not open to this key"):
                    await call
            request = trainer_pb2.GetRunRequest(run_id=str(everybodys.run_id))
            assert (await rpc.GetRun(request, context)).run.tenant == "*"
            own = (await rpc.StartRun(trainer_pb2.StartRunRequest(actor="ann"), context)).run
            assert own.tenant == "acme"
            await rpc.CancelRun(trainer_pb2.CancelRunRequest(run_id=own.run_id), context)
