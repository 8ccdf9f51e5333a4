"""The gRPC edge of data sets: translates messages to the core's words and back."""

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from gyre.trainer.v1 import trainer_pb2
from gyre_common.errors import NotFound
from gyre_common.events.event import EVERY_TENANT
from gyre_common.rpc import ServicerContext, request_context

from gyre_trainer.data_sets import DataSetStore, StoredDataSet


class DataSetRpc:
    """ListDataSets and GetDataSet of gyre.trainer.v1.TrainerService."""

    def __init__(self, data_sets: DataSetStore) -> None:
        self._data_sets = data_sets

    async def ListDataSets(
        self, request: trainer_pb2.ListDataSetsRequest, context: ServicerContext
    ) -> trainer_pb2.ListDataSetsResponse:
        """The caller's and those of all tenants together, newest first, without their cards."""
        data_sets = [
            stored
            for tenant in _visible_tenants()
            for stored in await self._data_sets.of_tenant(tenant)
        ]
        data_sets.sort(key=lambda stored: stored.frozen_at, reverse=True)
        return trainer_pb2.ListDataSetsResponse(data_sets=map(_data_set, data_sets))

    async def GetDataSet(
        self, request: trainer_pb2.GetDataSetRequest, context: ServicerContext
    ) -> trainer_pb2.GetDataSetResponse:
        """One, with its card."""
        stored = await self._find(request.digest)
        message = _data_set(stored)
        message.card.CopyFrom(ParseDict(stored.card, Struct()))
        return trainer_pb2.GetDataSetResponse(data_set=message)

    async def _find(self, digest: str) -> StoredDataSet:
        own, shared = _visible_tenants()
        try:
            return await self._data_sets.get(own, digest)
        except NotFound:
            return await self._data_sets.get(shared, digest)


def _visible_tenants() -> tuple[str, str]:
    return request_context().tenant, EVERY_TENANT


def _data_set(stored: StoredDataSet) -> trainer_pb2.DataSet:
    return trainer_pb2.DataSet(
        digest=stored.digest,
        tenant=stored.tenant,
        frozen_at=stored.frozen_at,
        train_questions=stored.train_questions,
        gate_questions=stored.gate_questions,
        expired_at=stored.expired_at,
    )
