"""One key is one request, as long as it is remembered."""

import pytest
from gyre_common.errors import InvalidInput
from gyre_common.idempotency import UsedKeys, fingerprint_of


def test_the_same_request_has_the_same_fingerprint_and_no_other() -> None:
    assert fingerprint_of({"a": 1, "b": ("x",)}) == fingerprint_of({"b": ["x"], "a": 1})
    assert fingerprint_of({"a": "\ud800"}) != fingerprint_of({"a": "1"}) != fingerprint_of({"a": 1})


def test_a_key_is_refused_with_another_request_within_its_scope_alone() -> None:
    keys = UsedKeys()
    for _ in range(2):
        keys.check("k", "acme", fingerprint="tea")
    keys.check("k", "zoo", fingerprint="coffee")
    keys.check("other", "acme", fingerprint="coffee")
    with pytest.raises(InvalidInput, match="idempotency_key was sent before with another request"):
        keys.check("k", "acme", fingerprint="coffee")


def test_no_key_is_never_refused() -> None:
    keys = UsedKeys()
    for request in ("tea", "coffee"):
        keys.check("", "acme", fingerprint=request)


def test_only_so_many_keys_are_remembered_those_that_came_last() -> None:
    keys = UsedKeys(most=2)
    for key in ("a", "b", "a", "c"):
        keys.check(key, fingerprint="tea")
    keys.check("b", fingerprint="coffee")  # forgotten
    with pytest.raises(InvalidInput):
        keys.check("c", fingerprint="coffee")
