"""Feedback over gRPC, on a real broker: there before the reply, once per key."""

from collections.abc import AsyncIterator

import grpc
import pytest
from aiokafka import AIOKafkaConsumer
from gyre.feedback.v1 import feedback_pb2 as pb
from gyre.feedback.v1 import feedback_pb2_grpc as pb_grpc
from gyre_common.bus import Bus
from gyre_common.errors import InvalidInput
from gyre_common.events.event import new_id
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackReceived
from gyre_common.rpc import call, channel, serve
from gyre_feedback_collector.rpc import FeedbackRpc
from gyre_feedback_collector.service import FeedbackCollector

pytestmark = pytest.mark.integration


@pytest.fixture
async def stub(kafka_servers: str) -> AsyncIterator[pb_grpc.FeedbackServiceStub]:
    bus = Bus(kafka_servers, service="feedback-collector")
    bus.publishes(FEEDBACK_RECEIVED)
    async with (
        bus,
        serve([FeedbackRpc(FeedbackCollector(bus))]) as server,
        channel(f"127.0.0.1:{server.port}", tenant="acme") as opened,
    ):
        yield pb_grpc.FeedbackServiceStub(opened)


async def records(servers: str, interaction_id: str) -> list[FeedbackReceived]:
    """All feedback on one interaction, in the order of its partition."""
    async with AIOKafkaConsumer(
        FEEDBACK_RECEIVED.name, bootstrap_servers=servers, auto_offset_reset="earliest"
    ) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        records = []
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                records += [record for record in batch if interaction_id in record.key.decode()]
    assert all(dict(record.headers)["ce_id"] in record.value for record in records)
    return [FeedbackReceived.model_validate_json(record.value) for record in records]


async def test_a_vote_is_on_the_topic_when_the_reply_comes(
    stub: pb_grpc.FeedbackServiceStub, kafka_servers: str
) -> None:
    interaction_id = str(new_id())
    request = pb.SubmitFeedbackRequest(
        interaction_id=interaction_id, kind=pb.KIND_RATING, value="4", actor="u1", comment="fine"
    )
    reply = await call(stub.SubmitFeedback, request)
    (event,) = await records(kafka_servers, interaction_id)
    assert (str(event.feedback_id), event.tenant) == (reply.feedback_id, "acme")
    assert (event.kind, event.value, event.target) == ("rating", "4", "answer")


async def test_a_retry_carries_the_same_identity_for_every_sink(
    stub: pb_grpc.FeedbackServiceStub, kafka_servers: str
) -> None:
    interaction_id = str(new_id())
    request = pb.SubmitFeedbackRequest(
        interaction_id=interaction_id, kind=pb.KIND_THUMB, value="up", idempotency_key="k1"
    )
    for _ in range(2):
        await call(stub.SubmitFeedback, request)
    events = await records(kafka_servers, interaction_id)
    assert len({event.feedback_id for event in events}) == 1


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("interaction_id", pb.SubmitFeedbackRequest(interaction_id="x", kind=pb.KIND_THUMB)),
        ("kind", pb.SubmitFeedbackRequest(interaction_id=str(new_id()))),
        (
            "value",
            pb.SubmitFeedbackRequest(interaction_id=str(new_id()), kind=pb.KIND_RATING, value="6"),
        ),
    ],
)
async def test_a_broken_vote_is_an_invalid_argument_that_names_the_field(
    stub: pb_grpc.FeedbackServiceStub, field: str, request_: pb.SubmitFeedbackRequest
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await call(stub.SubmitFeedback, request_)
    assert refused.value.field == field
    cause = refused.value.__cause__
    assert isinstance(cause, grpc.aio.AioRpcError)
    assert cause.code() is grpc.StatusCode.INVALID_ARGUMENT
