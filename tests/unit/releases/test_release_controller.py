"""Changes come one at a time, and none is believed before it is safe on the topic."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from gyre.releases.v1.releases_pb2 import PromoteRequest
from gyre_common.context import RequestContext, request_context, use_context
from gyre_common.errors import (
    LOADING,
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.rpc import ServicerContext
from gyre_common.signature import Signature
from gyre_releases.book import ReleaseBook
from gyre_releases.draft import Changes
from gyre_releases.rpc import ReleaseRpc
from gyre_releases.scope import ReleaseScope
from gyre_releases.service import ReleaseController

from tests.eventually import eventually
from tests.fakes.probes import encoder_probes

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANN = Signature(actor="ann")
GYRE = Signature(actor="gyre")
ACME = ReleaseScope("acme", "acme")


class FakeLog:
    """A topic in memory that can lose the connection before or after it has taken a change."""

    def __init__(self) -> None:
        self.written: list[ReleaseChanged] = []
        self.opened = 0
        self.fails = ""

    async def open(self) -> Sequence[ReleaseChanged]:
        if self.fails == "open":
            raise Unavailable("Kafka does not answer")
        self.opened += 1
        return list(self.written)

    async def append(self, changes: Changes) -> None:
        await asyncio.sleep(0)
        if self.fails == "before":
            raise Unavailable("not written")
        self.written.extend(changes)
        if self.fails == "after":
            raise Unavailable("written, but nobody says so")


class FakeEmbedder:
    """Has its reasons; may take its time."""

    served_by = "embedder"

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.tenants: list[str] = []
        self.refusals: list[GyreError] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def try_version(self, role: str, version: str) -> None:
        self.requests.append(f"{role} {version}")
        self.tenants.append(request_context().tenant)
        await self.may_answer.wait()
        if self.refusals:
            raise self.refusals.pop(0)


def an_artifact(version: str) -> Artifact:
    return Artifact(version=version, digest="sha256:" + "a" * 64, registered_at=NOON)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
async def controller(log: FakeLog, embedder: FakeEmbedder) -> ReleaseController:
    controller = ReleaseController(
        log, ReleaseBook(clock=lambda: NOON), encoder_probes(embedder), patience_seconds=0.3
    )
    await controller.start({"judge": (an_artifact("j1"),)}, GYRE)
    await controller.start({"judge": (an_artifact("j2"),)}, GYRE)
    return controller


async def live(controller: ReleaseController) -> str:
    (release,) = await controller.releases("judge")
    return f"{release.live} #{release.generation}"


async def test_the_first_shipped_version_is_live_and_a_later_one_is_only_registered(
    controller: ReleaseController,
) -> None:
    assert await live(controller) == "j1 #2"


async def test_a_second_start_finds_what_stood(
    controller: ReleaseController, log: FakeLog, embedder: FakeEmbedder
) -> None:
    await controller.promote("judge", "j2", expected_generation=2, by=ANN)
    again = ReleaseController(log, ReleaseBook(clock=lambda: NOON), encoder_probes(embedder))
    await again.start({"judge": (an_artifact("j2"),)}, GYRE)
    assert await live(again) == "j2 #3"
    assert len(log.written) == 3


async def test_of_two_changes_at_once_one_wins(controller: ReleaseController) -> None:
    outcomes = await asyncio.gather(
        *(
            controller.promote("judge", "j2", expected_generation=2, by=Signature(actor=actor))
            for actor in ("ann", "bob")
        ),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [ReleaseChanged, Conflict]
    assert await live(controller) == "j2 #3"


@pytest.mark.parametrize(("fails", "stands"), [("before", "j1 #2"), ("after", "j2 #3")])
async def test_after_an_unknown_outcome_the_topic_decides(
    controller: ReleaseController, log: FakeLog, fails: str, stands: str
) -> None:
    log.fails = fails
    with pytest.raises(Unavailable, match="may or may not have happened"):
        await controller.promote("judge", "j2", expected_generation=2, by=ANN)
    log.fails = ""
    assert await live(controller) == stands


async def test_while_the_outcome_is_unknown_nothing_is_answered(
    controller: ReleaseController, log: FakeLog
) -> None:
    log.fails = "before"
    with pytest.raises(Unavailable):
        await controller.promote("judge", "j2", expected_generation=0, by=ANN)
    log.fails = "open"
    with pytest.raises(Unavailable):
        await controller.releases()
    with pytest.raises(Unavailable):
        await controller.promote("judge", "j2", expected_generation=0, by=ANN)


async def test_a_caller_who_gives_up_half_way_leaves_no_guess_behind(
    controller: ReleaseController, log: FakeLog
) -> None:
    change = asyncio.create_task(controller.promote("judge", "j2", expected_generation=2, by=ANN))
    await asyncio.sleep(0)
    change.cancel()
    with pytest.raises(asyncio.CancelledError):
        await change
    opened = log.opened
    assert await live(controller) == "j1 #2"
    assert log.opened == opened + 1


@pytest.mark.parametrize(
    ("field", "generation", "by"),
    [
        ("expected_generation", -1, ANN),
        ("actor", 0, Signature(actor=" ")),
        ("actor", 0, Signature(actor="a\nb")),
        ("actor", 0, Signature(actor="a" * 257)),
        ("reason", 0, Signature(actor="ann", reason="r" * 1025)),
    ],
)
async def test_a_change_needs_a_name_and_a_sane_generation(
    controller: ReleaseController, field: str, generation: int, by: Signature
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await controller.promote("judge", "j2", expected_generation=generation, by=by)
    assert refused.value.field == field


async def test_one_role_can_be_asked_for(controller: ReleaseController) -> None:
    assert [release.role for release in await controller.releases()] == ["judge"]
    with pytest.raises(NotFound):
        await controller.releases("poet")
    with pytest.raises(InvalidInput, match="role is empty"):
        await controller.version("", "j1")


def an_encoder(version: str) -> Artifact:
    return an_artifact(version).model_copy(update={"evidence": {"gate": "passed"}})


@pytest.fixture
async def encoders(controller: ReleaseController) -> ReleaseController:
    """Query encoder q1 is live, q2 waits."""
    await controller.start({"query-encoder": (an_artifact("q1"),)}, GYRE)
    await controller.register("query-encoder", an_encoder("q2"), ANN)
    return controller


def promote(controller: ReleaseController, version: str = "q2") -> Awaitable[ReleaseChanged]:
    return controller.promote("query-encoder", version, expected_generation=0, by=ANN)


async def live_encoder(controller: ReleaseController) -> str:
    return (await controller.state("*", "query-encoder")).live


async def test_an_encoder_goes_live_only_after_it_has_encoded_something(
    encoders: ReleaseController, embedder: FakeEmbedder
) -> None:
    assert (await promote(encoders)).live == "q2"
    assert embedder.requests == ["query-encoder q2"]


async def test_an_embedder_that_has_not_heard_of_the_version_yet_is_asked_again(
    encoders: ReleaseController, embedder: FakeEmbedder
) -> None:
    embedder.refusals = [FailedPrecondition("no version q2 here (yet)")]
    assert (await promote(encoders)).live == "q2"
    assert len(embedder.requests) == 2


async def test_an_encoder_that_takes_long_to_load_is_waited_for(
    encoders: ReleaseController, embedder: FakeEmbedder
) -> None:
    embedder.refusals = [FailedPrecondition("q2 is being loaded here", code=LOADING)] * 3
    assert (await promote(encoders)).live == "q2"


async def test_an_encoder_that_cannot_be_loaded_is_refused_with_the_reason(
    encoders: ReleaseController, embedder: FakeEmbedder
) -> None:
    embedder.refusals = [FailedPrecondition("its digest does not match")] * 100
    with pytest.raises(FailedPrecondition, match=r"what is live stays: its digest does not match"):
        await promote(encoders)
    assert await live_encoder(encoders) == "q1"


@pytest.mark.parametrize("error", [Unavailable("no embedder"), DeadlineExceeded("too slow")])
async def test_without_an_embedder_nothing_is_promoted_and_it_may_be_tried_again(
    encoders: ReleaseController, embedder: FakeEmbedder, error: GyreError
) -> None:
    embedder.refusals = [error]
    with pytest.raises(Unavailable, match="what is live stays"):
        await promote(encoders)
    assert await live_encoder(encoders) == "q1"
    assert (await promote(encoders)).live == "q2"


async def test_a_generator_is_tried_where_it_serves_and_refused_with_the_reason(
    log: FakeLog, embedder: FakeEmbedder
) -> None:
    embedder.served_by = "generator"
    book = ReleaseBook(clock=lambda: NOON)
    controller = ReleaseController(log, book, {"generator": embedder}, patience_seconds=0.1)
    small = an_encoder("small")
    await controller.start({"generator": (an_artifact("g1"), small)}, GYRE)
    embedder.refusals = [FailedPrecondition("run `make setup-llm`")] * 100
    with pytest.raises(FailedPrecondition, match=r"the generator cannot serve .*`make setup-llm`"):
        await controller.promote("generator", "small", expected_generation=0, by=ANN)
    embedder.refusals.clear()
    promoted = await controller.promote("generator", "small", expected_generation=0, by=ANN)
    assert promoted.live == "small"
    assert embedder.requests[-1] == "generator small"


async def test_a_rollback_asks_no_embedder(
    encoders: ReleaseController, embedder: FakeEmbedder
) -> None:
    await promote(encoders)
    embedder.requests.clear()
    embedder.may_answer.clear()
    await encoders.rollback("query-encoder", expected_generation=0, by=ANN)
    assert (await live_encoder(encoders), embedder.requests) == ("q1", [])


async def test_a_rollback_does_not_wait_for_a_promotion_that_waits_for_the_embedder(
    encoders: ReleaseController, embedder: FakeEmbedder
) -> None:
    await promote(encoders)
    await encoders.register("query-encoder", an_encoder("q3"), ANN)
    embedder.may_answer.clear()
    embedder.requests.clear()
    slow = asyncio.ensure_future(promote(encoders, "q3"))
    await eventually(lambda: embedder.requests == ["query-encoder q3"])
    async with asyncio.timeout(1):
        await encoders.rollback("query-encoder", expected_generation=0, by=ANN)
    embedder.may_answer.set()
    with pytest.raises(Conflict, match=r"q1 is live"):
        await slow
    assert await live_encoder(encoders) == "q1"


async def test_a_tenant_sees_its_own_releases_and_else_the_default(
    encoders: ReleaseController,
) -> None:
    await encoders.register("query-encoder", an_encoder("own"), ANN, scope=ACME)
    releases = await encoders.releases(scope=ReleaseScope("acme"))
    assert [(release.tenant, release.role) for release in releases] == [
        ("*", "judge"),
        ("acme", "query-encoder"),
    ]
    default = await encoders.releases(scope=ReleaseScope("acme", "*"))
    assert {release.tenant for release in default} == {"*"}
    with pytest.raises(InvalidInput, match="another tenant's"):
        await encoders.releases(scope=ReleaseScope("acme", "umbrella"))


async def test_an_override_needs_a_reason(controller: ReleaseController) -> None:
    with pytest.raises(InvalidInput, match="reason is missing"):
        await controller.promote("judge", "j2", expected_generation=0, by=ANN, override=True)


async def test_no_change_is_everybodys_by_an_empty_tenant(encoders: ReleaseController) -> None:
    unsaid = ReleaseScope("acme")
    for change in (
        encoders.promote("query-encoder", "q2", expected_generation=0, by=ANN, scope=unsaid),
        encoders.rollback("query-encoder", expected_generation=0, by=ANN, scope=unsaid),
        encoders.set_shadow("document-encoder", "", expected_generation=0, by=ANN, scope=unsaid),
        encoders.remove("query-encoder", "q2", by=ANN, scope=unsaid),
    ):
        with pytest.raises(InvalidInput, match="tenant is missing"):
            await change
    assert await live_encoder(encoders) == "q1"


async def test_a_version_is_tried_for_whom_it_is(
    encoders: ReleaseController, embedder: FakeEmbedder
) -> None:
    await encoders.register("query-encoder", an_encoder("own"), ANN, scope=ACME)
    await encoders.promote("query-encoder", "own", expected_generation=0, by=ANN, scope=ACME)
    assert embedder.tenants == ["acme"]


async def test_a_key_for_one_tenant_promotes_that_ones_alone(encoders: ReleaseController) -> None:
    rpc, context = ReleaseRpc(encoders), cast("ServicerContext", None)
    about: dict[str, Any] = {"role": "query-encoder", "version": "q2", "actor": "eve"}
    about["reason"] = "mine"
    with use_context(RequestContext(tenant="acme", is_for_every_tenant=False)):
        for tenant, refusal in (("*", PermissionDenied), ("", InvalidInput), ("zoo", InvalidInput)):
            request = PromoteRequest(**about, override=True, tenant=tenant)
            with pytest.raises(refusal):
                await rpc.Promote(request, context)
        reply = await rpc.Promote(PromoteRequest(**about, tenant="acme"), context)
    assert (reply.release.tenant, reply.release.live) == ("acme", "q2")
    assert await live_encoder(encoders) == "q1"
