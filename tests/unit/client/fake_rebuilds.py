"""A rebuild of telemetry's tables that is cut off once and goes on when it is asked to."""

from gyre.telemetry.v1 import telemetry_pb2 as pb
from gyre_common.errors import FailedPrecondition
from gyre_common.rpc import ServicerContext

_ROWS = {"feedback": 3, "interactions": 2}


class FakeRebuilds:
    """Serves the RPCs of a rebuild; `starts` counts how often it was asked to go on."""

    starts = 0
    keeps_live = False
    fails = ""

    async def StartRebuild(
        self, request: pb.StartRebuildRequest, context: ServicerContext
    ) -> pb.StartRebuildResponse:
        """Begins, or goes on."""
        self.starts += 1
        self.keeps_live = request.keep_live
        return pb.StartRebuildResponse(rebuild_id="r1")

    async def GetRebuild(
        self, request: pb.GetRebuildRequest, context: ServicerContext
    ) -> pb.GetRebuildResponse:
        """At the first look its process has died."""
        if not self.starts:
            return pb.GetRebuildResponse(state=pb.REBUILD_STATE_NONE)
        if self.fails:
            return pb.GetRebuildResponse(state=pb.REBUILD_STATE_FAILED, problem=self.fails)
        if self.starts == 1:
            return pb.GetRebuildResponse(
                state=pb.REBUILD_STATE_READING, records=9, records_read=4, runs=False
            )
        state = pb.REBUILD_STATE_BUILT if self.keeps_live else pb.REBUILD_STATE_FINISHED
        return pb.GetRebuildResponse(
            state=state, records=9, records_read=9, rows_before=_ROWS, rows_after=_ROWS
        )

    async def DropRebuild(
        self, request: pb.DropRebuildRequest, context: ServicerContext
    ) -> pb.DropRebuildResponse:
        """Only one that was begun."""
        if not self.starts:
            raise FailedPrecondition("no rebuild is under way")
        self.starts = 0
        return pb.DropRebuildResponse()
