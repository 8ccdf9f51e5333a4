"""Whatever is done in whatever order: encoders fit, live is known, tenants leave others alone."""

from contextlib import suppress
from typing import NamedTuple

from gyre_common.errors import GyreError
from gyre_common.events.releases import ReleaseChanged
from gyre_releases.book import ReleaseBook
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.releases.release_builders import (
    a_book,
    a_release,
    an_artifact,
    promote,
    register,
    rollback,
)

ROLES = ("document-encoder", "query-encoder", "retrieval")
TENANTS = ("*", "acme", "umbrella")
FITS: dict[str, dict[str, str | None]] = {
    "query-encoder": {"q1": "d1", "q1b": "d1", "q2": "d2", "q2b": "d2", "any": None},
    "retrieval": {"r0": None, "r1": "q1", "r1b": "q1b", "r2": "q2", "r2b": "q2b"},
    "document-encoder": {"d1": None, "d2": None},
}


class Step(NamedTuple):
    """What somebody does next."""

    what: str
    tenant: str
    role: str
    version: str
    override: bool
    gate: str


@st.composite
def steps(draw: st.DrawFn) -> Step:
    role = draw(st.sampled_from(ROLES))
    return Step(
        draw(st.sampled_from(["promote", "promote", "rollback", "register"])),
        draw(st.sampled_from(TENANTS)),
        role,
        draw(st.sampled_from(sorted(FITS[role]))),
        draw(st.booleans()),
        draw(st.sampled_from(["passed", "failed"])),
    )


def a_fresh_book() -> ReleaseBook:
    return a_book(
        a_release("document-encoder", an_artifact("d1"), an_artifact("d2")),
        a_release("query-encoder", an_artifact("q1", fits="d1"), an_artifact("q2", fits="d2")),
        a_release("retrieval", an_artifact("r0")),
    )


def do(book: ReleaseBook, step: Step) -> None:
    with suppress(GyreError):  # a refusal is an answer, and changes nothing
        if step.what == "register":
            fits = FITS[step.role][step.version]
            artifact = an_artifact(step.version, fits=fits, gate=step.gate)
            register(book, step.role, artifact, tenant=step.tenant)
        elif step.what == "promote":
            promote(book, step.role, step.version, tenant=step.tenant, override=step.override)
        else:
            rollback(book, step.role, tenant=step.tenant)


def by_owner(book: ReleaseBook) -> dict[tuple[str, str], ReleaseChanged]:
    states = [state for tenant in TENANTS for state in book.releases(tenant)]
    return {(state.tenant, state.role): state for state in states}


def fits(book: ReleaseBook, tenant: str, role: str, served_with: str) -> bool:
    state = book.release(role, tenant)
    artifact = state.artifact(state.live)
    assert artifact is not None, f"{tenant} {role} {state.live} is not registered"
    return artifact.fits in (None, book.release(served_with, tenant).live)


@given(st.lists(steps(), max_size=25))
@settings(max_examples=150, deadline=None)
def test_every_tenant_always_has_what_fits_and_only_what_it_or_the_default_chose(
    steps_taken: list[Step],
) -> None:
    book = a_fresh_book()
    for step in steps_taken:
        before = by_owner(book)
        do(book, step)
        after = by_owner(book)
        for tenant in TENANTS:
            assert fits(book, tenant, "query-encoder", "document-encoder")
            assert fits(book, tenant, "retrieval", "query-encoder")
        for owner, state in after.items():
            assert set(state.history) <= {artifact.version for artifact in state.artifacts}
            assert state.live not in state.history
            was = before.get(owner)
            assert state.generation - (was.generation if was else 0) in (0, 1)
            if state is not was and step.tenant != "*":
                assert owner[0] == step.tenant
