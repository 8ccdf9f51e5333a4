"""Versions follow from the newest state of every role, the same for a whole conversation."""

import asyncio

import pytest
from gyre_common.context import RequestContext
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Canary, ReleaseChanged, Roles
from gyre_common.releases import Arm, ReleaseView, Resolved

from tests.builders import a_release, an_artifact


def view_of(*releases: ReleaseChanged, required: tuple[str, ...] = ()) -> ReleaseView:
    view = ReleaseView(required)
    for release in releases:
        view.apply(release)
    return view


def with_canary(share: float, role: str = Roles.RETRIEVAL) -> ReleaseChanged:
    return a_release(
        role,
        live="one",
        canary=Canary(version="two", share=share),
        artifacts=(an_artifact("one"), an_artifact("two")),
    )


def test_the_live_version_serves_everyone() -> None:
    view = view_of(a_release(live="hybrid-1"))
    resolved = view.resolve("acme", "conversation-1")
    assert dict(resolved.versions) == {"retrieval": "hybrid-1"}
    assert dict(resolved.arms) == {}
    assert view.live("acme", Roles.RETRIEVAL).version == "hybrid-1"


def test_a_tenant_with_its_own_state_is_served_by_that() -> None:
    own = a_release(tenant="acme", live="acme-1")
    view = view_of(a_release(live="hybrid-1"), own)
    assert view.resolve("acme", "c").versions["retrieval"] == "acme-1"
    assert view.resolve("other", "c").versions["retrieval"] == "hybrid-1"
    view.retire("acme/retrieval")
    assert view.resolve("acme", "c").versions["retrieval"] == "hybrid-1"


def test_a_tenants_own_role_is_nobody_elses() -> None:
    view = view_of(a_release(Roles.JUDGE, tenant="acme", live="strict"))
    assert view.resolve("acme", "c").versions == {"judge": "strict"}
    assert view.resolve("other", "c").versions == {}


def test_an_older_generation_that_comes_late_changes_nothing() -> None:
    view = view_of(a_release(generation=3, live="three"), a_release(generation=2, live="two"))
    assert view.live("acme", Roles.RETRIEVAL).version == "three"


def test_a_state_that_names_no_artifact_leaves_the_last_good_one_in_force() -> None:
    view = view_of(
        a_release(live="one"),
        a_release(generation=2, live="two", artifacts=(an_artifact("one"),)),
        a_release(generation=3, live="one", canary=Canary(version="lost", share=0.5)),
    )
    assert view.state("acme", Roles.RETRIEVAL).generation == 1


def test_the_default_state_is_never_forgotten() -> None:
    view = view_of(a_release(live="one"))
    view.retire("*/retrieval")
    assert view.live("acme", Roles.RETRIEVAL).version == "one"


def test_a_canary_serves_its_share_of_conversations_and_sticks() -> None:
    view = view_of(with_canary(0.2))
    resolved_by_conversation = {f"c{n}": view.resolve("acme", f"c{n}") for n in range(4000)}
    canaries = [
        key
        for key, resolved in resolved_by_conversation.items()
        if resolved.arms["retrieval"] == Arm.CANARY
    ]
    assert 0.17 < len(canaries) / len(resolved_by_conversation) < 0.23
    assert all(resolved_by_conversation[key].versions["retrieval"] == "two" for key in canaries)
    assert all(view.resolve("acme", key) == resolved_by_conversation[key] for key in canaries)


def test_a_growing_share_keeps_the_conversations_it_had() -> None:
    small, large = view_of(with_canary(0.1)), view_of(with_canary(0.4))
    for n in range(1000):
        if small.resolve("acme", f"c{n}").arms["retrieval"] == Arm.CANARY:
            assert large.resolve("acme", f"c{n}").arms["retrieval"] == Arm.CANARY


def test_two_canaries_fall_on_different_conversations() -> None:
    view = view_of(with_canary(0.5), with_canary(0.5, Roles.JUDGE))
    arms = [view.resolve("acme", f"c{n}").arms for n in range(2000)]
    same = sum(each["retrieval"] == each["judge"] for each in arms)
    assert 0.45 < same / len(arms) < 0.55


def test_a_query_encoder_never_meets_an_index_that_it_does_not_fit() -> None:
    documents = a_release(Roles.DOCUMENT_ENCODER, live="one")
    queries = a_release(
        Roles.QUERY_ENCODER,
        live="one",
        canary=Canary(version="two", share=1.0),
        artifacts=(an_artifact("one", fits="one"), an_artifact("two", fits="two")),
    )
    resolved = view_of(documents, queries).resolve("acme", "c")
    assert resolved.versions["query-encoder"] == "one"
    assert resolved.arms["query-encoder"] == Arm.LIVE


def encoders(live: str, **fields: object) -> ReleaseChanged:
    artifacts = (an_artifact("one"), an_artifact("two"))
    return a_release(Roles.QUERY_ENCODER, live=live, artifacts=artifacts, **fields)


def retrievals(live: str, *history: str) -> ReleaseChanged:
    artifacts = (
        an_artifact("general"),
        an_artifact("for-one", fits="one"),
        an_artifact("for-two", fits="two"),
    )
    return a_release(live=live, history=history, artifacts=artifacts)


@pytest.mark.parametrize(
    ("encoder", "live", "expected"),
    [
        ("one", "for-one", "for-one"),
        ("one", "general", "general"),
        ("two", "for-one", "for-two"),
    ],
)
def test_a_retrieval_version_only_goes_with_the_query_encoder_that_it_fits(
    encoder: str, live: str, expected: str
) -> None:
    resolved = view_of(encoders(encoder), retrievals(live)).resolve("acme", "c")
    assert resolved.versions == {"query-encoder": encoder, "retrieval": expected}


@pytest.mark.parametrize("live", ["general", "for-one"])
def test_a_canary_query_encoder_takes_its_own_retrieval_version_along(live: str) -> None:
    canary = encoders("one", canary=Canary(version="two", share=0.5))
    view = view_of(canary, retrievals(live))
    for n in range(50):
        resolved = view.resolve("acme", f"c{n}")
        on_canary = resolved.arms["query-encoder"] == Arm.CANARY
        assert resolved.versions["retrieval"] == ("for-two" if on_canary else live)


def test_versions_that_came_with_the_request_are_obeyed() -> None:
    view = view_of(a_release(live="hybrid-1"))
    came = RequestContext(tenant="acme", versions={"retrieval": "hybrid-0"})
    assert view.for_request(came, "c").versions == {"retrieval": "hybrid-0"}
    first = RequestContext(tenant="acme")
    assert view.for_request(first, "c").versions == {"retrieval": "hybrid-1"}


def test_a_request_that_names_versions_is_drawn_into_nothing_else() -> None:
    view = view_of(with_canary(1.0), a_release(Roles.JUDGE))
    came = RequestContext(versions={"judge": "hybrid-1"}, arms={"judge": Arm.CANARY})
    resolved = view.for_request(came, "c")
    assert resolved.versions == {"judge": "hybrid-1", "retrieval": "one"}
    assert resolved.arms == {"judge": Arm.CANARY}


def test_what_goes_with_a_query_encoder_that_is_not_known_here_is_left_open() -> None:
    view = view_of(encoders("one"), retrievals("for-one"), a_release(Roles.JUDGE, live="strict"))
    came = RequestContext(versions={"query-encoder": "new"})
    expected = {"query-encoder": "new", "judge": "strict"}
    assert view.for_request(came, "c").versions == expected


def test_an_arm_is_left_out_where_another_version_served() -> None:
    canary_choice = Resolved(
        {"retrieval": "two", "judge": "one"}, {"retrieval": "canary", "judge": "live"}
    )
    assert canary_choice.arms_with({"retrieval": "one"}) == {"judge": "live"}
    assert canary_choice.arms_with({"retrieval": "two", "judge": "one"}) == canary_choice.arms


def test_a_canary_whose_place_other_weights_take_is_in_no_arm() -> None:
    queries = encoders("one", canary=Canary(version="two", share=1.0))
    weights = retrievals("general").model_copy(
        update={"canary": Canary(version="for-one", share=1.0)}
    )
    resolved = view_of(queries, weights).resolve("acme", "c")
    assert resolved.versions == {"query-encoder": "two", "retrieval": "for-two"}
    assert resolved.arms == {"query-encoder": Arm.CANARY}


def test_a_version_is_named_by_its_tenant_alone_or_by_all() -> None:
    view = view_of(a_release(live="hybrid-1"), a_release(tenant="acme", live="acme-1"))
    assert view.named("acme", Roles.RETRIEVAL, "acme-1").version == "acme-1"
    assert view.named("other", Roles.RETRIEVAL, "hybrid-1").version == "hybrid-1"
    for version in ("acme-1", "nobodys"):
        with pytest.raises(FailedPrecondition, match=rf"retrieval has no version {version} here"):
            view.named("other", Roles.RETRIEVAL, version)


def test_another_tenants_version_cannot_be_asked_for() -> None:
    own = a_release(live="theirs", artifacts=(an_artifact("theirs"),), tenant="acme")
    view = view_of(a_release(), own)
    versions = {own.role: "theirs"}
    view.for_request(RequestContext(tenant="acme", versions=versions), "q")
    with pytest.raises(FailedPrecondition, match="theirs"):
        view.for_request(RequestContext(tenant="other", versions=versions), "q")


def test_a_version_that_is_not_here_yet_is_a_failed_precondition() -> None:
    view = view_of(a_release(live="hybrid-1"))
    assert view.artifact(Roles.RETRIEVAL, "hybrid-1").version == "hybrid-1"
    with pytest.raises(FailedPrecondition, match="hybrid-9"):
        view.artifact(Roles.RETRIEVAL, "hybrid-9")
    with pytest.raises(FailedPrecondition, match="releases"):
        view.live("acme", Roles.JUDGE)


def test_every_change_is_announced_once() -> None:
    generations: list[int] = []
    view = ReleaseView()
    view.on_change(lambda event: generations.append(event.generation))
    for generation in (1, 1, 2):
        view.apply(a_release(generation=generation))
    assert generations == [1, 2]


async def test_waiting_ends_once_every_required_role_is_live() -> None:
    view = ReleaseView((Roles.RETRIEVAL, Roles.JUDGE))
    waiting = asyncio.create_task(view.wait_until_complete())
    view.apply(a_release())
    await asyncio.sleep(0)
    assert view.missing == (Roles.JUDGE,)
    assert not waiting.done()
    view.apply(a_release(Roles.JUDGE))
    await asyncio.wait_for(waiting, 5)


def generators(live: str = "reader", **changes: object) -> ReleaseChanged:
    made_for = {"reader": {}, "small": {"prompt": "short"}, "lost": {"prompt": "gone"}}
    artifacts = tuple(an_artifact(name, settings=made_for[name]) for name in made_for)
    return a_release(Roles.GENERATOR, live=live, artifacts=artifacts, **changes)


def prompts(live: str = "long", **changes: object) -> ReleaseChanged:
    artifacts = tuple(an_artifact(name) for name in ("long", "short", "other"))
    return a_release(Roles.ANSWER_PROMPT, live=live, artifacts=artifacts, **changes)


def pair(resolved: Resolved) -> tuple[str, str]:
    return resolved.versions[Roles.GENERATOR], resolved.versions[Roles.ANSWER_PROMPT]


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        ({}, ("reader", "long")),
        ({"generator": "small"}, ("small", "short")),
        ({"prompt/answer": "other"}, ("reader", "other")),
        ({"generator": "small", "prompt/answer": "short"}, ("small", "short")),
        ({"generator": "reader", "prompt/answer": "other"}, ("reader", "other")),
    ],
)
def test_a_prompt_follows_the_generator_that_was_made_for_it(
    requested: dict[str, str], expected: tuple[str, str]
) -> None:
    view = view_of(generators(), prompts())
    assert pair(view.for_request(RequestContext("acme", versions=requested), "c")) == expected


def test_where_only_the_prompt_is_requested_a_generator_that_goes_with_it_serves() -> None:
    view = view_of(generators(live="small", history=("reader",)), prompts(live="short"))
    request = RequestContext("acme", versions={"prompt/answer": "other"})
    assert pair(view.for_request(request, "c")) == ("reader", "other")


@pytest.mark.parametrize(
    "requested", [{"generator": "small", "prompt/answer": "other"}, {"generator": "lost"}]
)
def test_a_generator_is_never_mixed_with_another_prompt(requested: dict[str, str]) -> None:
    view = view_of(generators(), prompts())
    with pytest.raises(FailedPrecondition, match="prompt/answer"):
        view.for_request(RequestContext("acme", versions=requested), "c")


def test_a_canary_of_the_generator_takes_its_prompt_along_and_one_of_the_prompt_gives_way() -> None:
    canary = Canary(version="small", share=1.0)
    assert pair(view_of(generators(canary=canary), prompts()).resolve("acme", "c")) == (
        "small",
        "short",
    )
    canary = Canary(version="other", share=1.0)
    view = view_of(generators(live="small"), prompts(live="short", canary=canary))
    resolved = view.resolve("acme", "c")
    assert pair(resolved) == ("small", "short")
    assert dict(resolved.arms) == {Roles.ANSWER_PROMPT: Arm.LIVE}
