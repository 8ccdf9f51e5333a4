"""A key that stands for somebody: what a service sees of the caller is what is known of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from gyre.feedback.v1 import feedback_pb2, feedback_pb2_grpc
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc
from gyre.trainer.v1 import trainer_pb2, trainer_pb2_grpc
from gyre_common.context import RequestContext
from gyre_common.errors import PermissionDenied, Unauthenticated, Unavailable
from gyre_common.identities import Identity, KeyRole
from gyre_common.rpc import call, channel, request_context, serve, stream

SERVICE = "key-of-the-services"
ANN = Identity(
    key="key-of-ann-0123456",
    actor="ann",
    groups=("staff",),
    tenants=("acme",),
    roles=frozenset(KeyRole),
)
BOB = Identity(key="key-of-bob-0123456", actor="bob", groups=("guests",), tenants=("acme", "zoo"))
PROTO = Path(__file__).parents[3] / "proto"


class Services(
    generator_pb2_grpc.GeneratorServiceServicer,
    feedback_pb2_grpc.FeedbackServiceServicer,
    trainer_pb2_grpc.TrainerServiceServicer,
):
    """Remember who called, and what for."""

    def __init__(self) -> None:
        self.callers: list[RequestContext] = []
        self.requests: list[Any] = []

    def _remember(self, request: Any) -> None:
        self.callers.append(request_context())
        self.requests.append(request)

    async def StreamAnswer(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._remember(request)
        yield generator_pb2.StreamAnswerResponse()

    async def SubmitFeedback(self, request: Any, context: Any) -> Any:
        self._remember(request)
        return feedback_pb2.SubmitFeedbackResponse()

    async def ListRuns(self, request: Any, context: Any) -> Any:
        self._remember(request)
        return trainer_pb2.ListRunsResponse()

    async def Forget(self, request: Any, context: Any) -> Any:
        self._remember(request)
        return trainer_pb2.ForgetResponse()


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Services, str]]:
    services = Services()
    async with serve([services], keys=(SERVICE,), identities=(ANN, BOB)) as server:
        yield services, f"127.0.0.1:{server.port}"


async def vote(address: str, key: str, tenant: str) -> None:
    """With groups and a name that the caller made up."""
    async with channel(address, key=key, tenant=tenant, acl=("board",)) as connection:
        stub = feedback_pb2_grpc.FeedbackServiceStub(connection)
        await call(stub.SubmitFeedback, feedback_pb2.SubmitFeedbackRequest(actor="eve"))


def key_of(identity: Identity) -> str:
    return identity.key.get_secret_value()


@pytest.mark.parametrize(
    ("key", "tenant", "groups", "actor", "who_votes"),
    [
        (key_of(ANN), "acme", ("staff",), "ann", "ann"),
        (key_of(BOB), "acme", ("guests",), "bob", "bob"),
        (key_of(BOB), "zoo", ("guests",), "bob", "bob"),
        (SERVICE, "acme", ("board",), "", "eve"),
        (SERVICE, "anywhere", ("board",), "", "eve"),
    ],
)
async def test_only_a_service_is_believed_what_it_says_of_its_caller(
    key: str, tenant: str, groups: tuple[str, ...], actor: str, who_votes: str
) -> None:
    async with served() as (services, address):
        await vote(address, key, tenant)

    [caller], [request] = services.callers, services.requests
    assert (caller.tenant, caller.acl, caller.actor) == (tenant, groups, actor)
    assert request.actor == who_votes


@pytest.mark.parametrize(
    ("identity", "tenant", "allowed"),
    [(ANN, "zoo", "acme"), (ANN, "default", "acme"), (BOB, "default", "acme, zoo")],
)
async def test_a_tenant_of_others_is_refused_with_those_that_are_allowed(
    identity: Identity, tenant: str, allowed: str
) -> None:
    async with served() as (services, address):
        with pytest.raises(PermissionDenied, match=f"tenant {tenant} .* one of {allowed}$"):
            await vote(address, key_of(identity), tenant)

    assert services.requests == []


async def test_a_key_of_nobody_is_refused() -> None:
    async with served() as (services, address):
        for key in ("", "key-of-ann-012345", key_of(ANN) + "x"):
            with pytest.raises(Unauthenticated):
                await vote(address, key, "acme")

    assert services.requests == []


async def test_a_stream_is_bound_as_well() -> None:
    request = generator_pb2.AnswerRequest(question="tea?", actor="eve")
    async with (
        served() as (services, address),
        channel(address, key=key_of(ANN), tenant="acme") as connection,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(connection)
        _ = [reply async for reply in stream(stub.StreamAnswer, request)]

    assert services.requests[0].actor == "ann"
    assert services.callers[0].acl == ("staff",)


async def test_requests_that_tell_of_no_caller_stay_as_they_are() -> None:
    forgotten, runs = trainer_pb2.ForgetRequest(actor="eve"), trainer_pb2.ListRunsRequest()
    async with (
        served() as (services, address),
        channel(address, key=key_of(ANN), tenant="acme") as connection,
    ):
        stub = trainer_pb2_grpc.TrainerServiceStub(connection)
        await call(stub.Forget, forgotten)
        await call(stub.ListRuns, runs)

    assert services.requests == [forgotten, runs]


async def test_a_service_that_still_starts_says_so() -> None:
    async with serve(keys=(SERVICE,), identities=(ANN,)) as server:
        with pytest.raises(Unavailable, match="still starting"):
            await vote(f"127.0.0.1:{server.port}", key_of(ANN), "acme")


async def test_who_somebody_is_travels_on_to_the_services_behind() -> None:
    async with served() as (behind, address), channel(address, key=SERVICE) as onwards:
        stub = trainer_pb2_grpc.TrainerServiceStub(onwards)

        class Front(Services):
            async def ListRuns(self, request: Any, context: Any) -> Any:
                return await call(stub.ListRuns, request)

        async with serve([Front()], keys=(SERVICE,), identities=(ANN, BOB)) as front:
            for identity, tenant in ((ANN, "acme"), (BOB, "zoo")):
                claims: Any = {"key": key_of(identity), "tenant": tenant, "acl": ("board",)}
                async with channel(f"127.0.0.1:{front.port}", **claims) as connection:
                    to_front = trainer_pb2_grpc.TrainerServiceStub(connection)
                    await call(to_front.ListRuns, trainer_pb2.ListRunsRequest())

    seen = [(caller.tenant, caller.acl) for caller in behind.callers]
    assert seen == [("acme", ("staff",)), ("zoo", ("guests",))]
    assert [caller.lane for caller in behind.callers] == [ANN.lane, BOB.lane]


def requests_with_an_actor() -> Iterator[Descriptor]:
    for path in sorted(PROTO.rglob("*.proto")):
        parts = path.relative_to(PROTO).with_suffix("").parts
        module = import_module(".".join(parts) + "_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                if "actor" in method.input_type.fields_by_name:
                    yield method.input_type


def test_every_actor_of_a_request_is_who_asks_or_a_subject_among_several() -> None:
    free = {
        request.name
        for request in requests_with_an_actor()
        if request.fields_by_name["actor"].has_presence
    }
    bound = {request.name for request in requests_with_an_actor()} - free

    assert free == {"ForgetRequest"}
    assert bound >= {"AnswerRequest", "SubmitFeedbackRequest", "GetInteractionRequest"}
    assert bound >= {"PromoteRequest", "RollbackRequest", "StartRunRequest", "CancelRunRequest"}
