import asyncio

import pytest
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.releases import ReleaseView
from gyre_common.testing.builders import a_release, an_artifact
from gyre_common.testing.eventually import eventually
from gyre_embedder.encoder import Encoder, Side
from gyre_embedder.encoders import Encoders
from gyre_embedder.testing import HashEncoder
from gyre_embedder.text_embedder import TextEmbedder

DOCUMENT, QUERY = Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER


class Loader:
    def __init__(self) -> None:
        self.loaded: list[str] = []

    async def __call__(self, artifact: Artifact) -> Encoder:
        if artifact.version == "broken":
            raise FailedPrecondition("no weights")
        self.loaded.append(artifact.version)
        return HashEncoder()


def a_state(
    role: str, live: str, generation: int = 1, history: tuple[str, ...] = ()
) -> ReleaseChanged:
    artifacts = tuple(an_artifact(each, digest="sha256:" + "0" * 64) for each in (live, *history))
    return a_release(role, live=live, generation=generation, artifacts=artifacts, history=history)


async def test_versions_of_one_digest_share_an_encoder() -> None:
    load = Loader()
    encoders = Encoders(load)
    await encoders.hold([a_state(DOCUMENT, "one"), a_state(QUERY, "one")])
    assert load.loaded == ["one"]
    assert encoders.get(Side.QUERY, "one") is encoders.get(Side.DOCUMENT, "one")


async def test_an_unknown_version_is_refused_by_name() -> None:
    with pytest.raises(FailedPrecondition, match="query-encoder two"):
        Encoders(Loader()).get(Side.QUERY, "two")


async def test_a_version_that_cannot_be_loaded_is_refused_and_spoils_nothing() -> None:
    encoders = Encoders(Loader())
    await encoders.hold([a_state(DOCUMENT, "broken"), a_state(QUERY, "one")])
    encoders.get(Side.QUERY, "one")
    with pytest.raises(FailedPrecondition):
        encoders.get(Side.DOCUMENT, "broken")


async def test_a_promotion_loads_the_new_and_keeps_the_one_before() -> None:
    releases, encoders = ReleaseView(), Encoders(Loader())
    releases.apply(a_state(QUERY, "one"))
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(encoders.keep_up(releases))
        await eventually(lambda: _holds(encoders, "one"))
        releases.apply(a_state(QUERY, "two", 2, history=("one",)))
        await eventually(lambda: _holds(encoders, "two"))
        assert _holds(encoders, "one")
        releases.apply(a_state(QUERY, "three", 3, history=("two", "one")))
        await eventually(lambda: _holds(encoders, "three") and not _holds(encoders, "one"))
        following.cancel()


def _holds(encoders: Encoders, version: str) -> bool:
    try:
        encoders.get(Side.QUERY, version)
    except FailedPrecondition:
        return False
    return True


@pytest.fixture
async def embedder() -> TextEmbedder:
    releases, encoders = ReleaseView(), Encoders(Loader())
    releases.apply(a_state(QUERY, "two", history=("one",)))
    await encoders.hold(releases.states)
    return TextEmbedder(encoders, releases)


async def test_without_a_version_the_live_one_encodes(embedder: TextEmbedder) -> None:
    assert (await embedder.embed(["tea"], Side.QUERY, "")).version == "two"


async def test_the_version_that_travels_with_the_request_is_obeyed(embedder: TextEmbedder) -> None:
    with use_context(RequestContext(versions={QUERY: "one"})):
        assert (await embedder.embed(["tea"], Side.QUERY, "")).version == "one"


@pytest.mark.parametrize("count", [0, 257])
async def test_a_wrong_number_of_texts_names_the_field(embedder: TextEmbedder, count: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        await embedder.embed(["tea"] * count, Side.QUERY, "")
    assert refused.value.field == "texts"
