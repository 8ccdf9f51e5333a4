"""The gRPC edge: one service, its methods by subject in files of their own."""

from gyre.trainer.v1 import trainer_pb2_grpc

from gyre_trainer.data_set_rpc import DataSetRpc
from gyre_trainer.data_sets import DataSetStore
from gyre_trainer.forget_rpc import ForgetRpc
from gyre_trainer.forgetting import Forgetting
from gyre_trainer.run_rpc import RunRpc
from gyre_trainer.runs.conductor import Conductor
from gyre_trainer.runs.reports import Reports


class TrainerRpc(RunRpc, DataSetRpc, ForgetRpc, trainer_pb2_grpc.TrainerServiceServicer):
    """Serves gyre.trainer.v1.TrainerService."""

    def __init__(
        self,
        conductor: Conductor,
        reports: Reports,
        data_sets: DataSetStore,
        forgetting: Forgetting,
    ) -> None:
        RunRpc.__init__(self, conductor, reports)
        DataSetRpc.__init__(self, data_sets)
        ForgetRpc.__init__(self, forgetting)
