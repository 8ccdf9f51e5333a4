"""The stubs that the demonstration talks through, and what the system spends on it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from gyre.feedback.v1.feedback_pb2_grpc import FeedbackServiceStub
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre.ingestor.v1 import ingestor_pb2
from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub
from gyre.trainer.v1.trainer_pb2_grpc import TrainerServiceStub
from gyre_common.rpc import call
from gyre_local.control import running_state

from gyre_cli.rpc import connected
from gyre_cli.settings import CliSettings


@dataclass(frozen=True)
class System:
    """The public API, as one tenant's caller."""

    tenant: str
    ingestor: IngestorServiceStub
    retriever: RetrieverServiceStub
    generator: GeneratorServiceStub
    feedback: FeedbackServiceStub
    trainer: TrainerServiceStub
    releases: ReleaseServiceStub

    async def has_documents(self) -> bool:
        """Whether the tenant has any."""
        request = ingestor_pb2.ListDocumentsRequest(page_size=1)
        reply = await call(self.ingestor.ListDocuments, request)
        return bool(reply.documents)


@asynccontextmanager
async def opened(settings: CliSettings, tenant: str) -> AsyncIterator[System]:
    """Raises Unavailable, with the fix, when a service does not answer."""
    caller = settings.model_copy(update={"tenant": tenant})
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        yield System(
            tenant,
            await enter(connected(IngestorServiceStub, settings.ingestor_address, caller)),
            await enter(connected(RetrieverServiceStub, settings.retriever_address, caller)),
            await enter(connected(GeneratorServiceStub, settings.generator_address, caller)),
            await enter(connected(FeedbackServiceStub, settings.feedback_address, caller)),
            await enter(connected(TrainerServiceStub, settings.trainer_address, caller)),
            await enter(connected(ReleaseServiceStub, settings.releases_address, caller)),
        )


def cpu_seconds(home: Path) -> float | None:
    """Spent by the local system, finished children included; None if there is none."""
    state = running_state(home)
    return None if state is None else spent_by(state.supervisor.pid)


def spent_by(pid: int) -> float:
    """Seconds of a process and its living kin; those that ended are in their parents' books."""
    try:
        kin = psutil.Process(pid)
        every = [kin, *kin.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    spent = 0.0
    for process in every:
        with suppress(psutil.NoSuchProcess):
            spent += sum(process.cpu_times()[:4])
    return spent
