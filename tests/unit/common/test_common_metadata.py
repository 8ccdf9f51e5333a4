"""The context of a request survives the way from one service to the next."""

import time

import pytest
from gyre_common.context import RequestContext, request_context, use_context, use_versions
from gyre_common.errors import InvalidInput
from gyre_common.rpc.metadata import format_versions, parse_versions, read_context, write_context
from hypothesis import given
from hypothesis import strategies as st

groups = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40
).filter(lambda group: group == group.strip())


@given(st.lists(groups, unique=True, max_size=8))
def test_access_groups_arrive_as_they_were_sent(acl: list[str]) -> None:
    sent_context = RequestContext(
        tenant="acme",
        acl=tuple(acl),
        versions={"retrieval": "hybrid-1"},
        arms={"retrieval": "canary"},
        lane="0a1b2c3d",
    )
    metadata = write_context(sent_context)
    assert all(value.isascii() and value.isprintable() for _, value in metadata)
    assert read_context(metadata, deadline=None) == sent_context


def test_a_caller_that_says_nothing_is_the_default_tenant_without_groups() -> None:
    context = read_context([], deadline=None)
    assert (context.tenant, context.acl, dict(context.versions)) == ("default", (), {})


@pytest.mark.parametrize(
    "tenant", ["Acme", "-acme", "a b", "acme\n", "a" * 64, "*", "acme/other", "ä"]
)
def test_a_malformed_tenant_is_refused_with_the_fix(tenant: str) -> None:
    with pytest.raises(InvalidInput, match="lower-case letters") as excinfo:
        read_context([("gyre-tenant", tenant)], deadline=None)
    assert excinfo.value.field == "gyre-tenant"


@pytest.mark.parametrize("lane", ["A", "x" * 65, "a b", "ä", "../a"])
def test_a_malformed_lane_is_refused(lane: str) -> None:
    with pytest.raises(InvalidInput, match="gyre-lane is malformed"):
        read_context([("gyre-lane", lane)], deadline=None)


def test_two_tenants_at_once_are_refused() -> None:
    with pytest.raises(InvalidInput):
        read_context([("gyre-tenant", "acme"), ("gyre-tenant", "other")], deadline=None)


@pytest.mark.parametrize("acl", ["%00", "a,b%0Ac", "x" * 257, ",".join(map(str, range(257)))])
def test_malformed_groups_are_refused(acl: str) -> None:
    with pytest.raises(InvalidInput):
        read_context([("gyre-acl", acl)], deadline=None)


def test_groups_of_several_entries_add_up() -> None:
    context = read_context([("gyre-acl", "hr, legal"), ("gyre-acl", "hr,it")], deadline=None)
    assert context.acl == ("hr", "legal", "it")


def test_versions_are_written_by_role() -> None:
    text = format_versions({"retrieval": "hybrid-1", "prompt/answer": "answer-1"})
    assert text == "prompt/answer=answer-1,retrieval=hybrid-1"
    assert parse_versions(text) == {"prompt/answer": "answer-1", "retrieval": "hybrid-1"}


@pytest.mark.parametrize("text", ["retrieval", "=1", "retrieval=", "a=1,a=2", "A=1", "a=1=2"])
def test_malformed_versions_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="role=version"):
        parse_versions(text)


@pytest.mark.parametrize("text", ["retrieval", "retrieval=both", "retrieval=live,retrieval=canary"])
def test_malformed_arms_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="live or canary") as excinfo:
        read_context([("gyre-arms", text)], deadline=None)
    assert excinfo.value.field == "gyre-arms"


def test_a_document_without_groups_is_public_in_its_tenant() -> None:
    stranger, member = RequestContext(), RequestContext(acl=("hr", "it"))
    assert stranger.may_read(())
    assert not stranger.may_read(("hr",))
    assert member.may_read(("legal", "hr"))
    assert not member.may_read(("legal",))


def test_the_context_is_the_anonymous_one_outside_of_a_request() -> None:
    with use_context(RequestContext(tenant="acme")):
        assert request_context().tenant == "acme"
        with use_versions({"retrieval": "hybrid-2"}, {"retrieval": "live"}) as inner:
            assert request_context() is inner
            assert (inner.tenant, inner.versions["retrieval"]) == ("acme", "hybrid-2")
            assert inner.arms == {"retrieval": "live"}
            with use_versions({"retrieval": "hybrid-3"}):
                assert not request_context().arms
        assert not request_context().versions
    assert request_context() == RequestContext()


def test_time_that_ran_out_is_nought_not_negative() -> None:
    assert RequestContext().remaining() is None
    assert RequestContext(deadline=time.monotonic() - 5).remaining() == 0.0
