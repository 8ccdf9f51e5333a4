"""Misspelt fields are named with what was meant, and other people's words are not repeated."""

import pytest
from gyre_common.events.documents import DocumentSubmitted
from gyre_common.near_names import misspelt_names, near_name

KNOWN = list(DocumentSubmitted.model_fields)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("titel", "title"),
        ("Title", "title"),
        ("documentId", "document_id"),
        ("document-id", "document_id"),
        ("acls", "acl"),
        ("alc", "acl"),
        ("txt", "text"),
        ("tenat", "tenant"),
        ("meta_data", "metadata"),
        ("contentUri", "content_uri"),
        ("owner", None),
        ("ce_id", None),
        ("content", None),
        ("language_code", None),
        ("", None),
        ("title ann@example.com", None),
        ("t" * 41, None),
        ("tïtle", None),
    ],
)
def test_a_name_close_to_a_known_one_is_seen(name: str, meant: str | None) -> None:
    assert near_name(name, KNOWN) == meant


def test_what_is_there_under_its_own_name_was_not_meant() -> None:
    assert misspelt_names(["title", "titel", "text"], KNOWN) == []
    (misspelt,) = misspelt_names(["titel", "text", "owner"], KNOWN)
    assert str(misspelt) == "unknown field `titel`: did you mean `title`?"
