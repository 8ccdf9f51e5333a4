"""What may stand in an event as a name: nothing that could break a key, a log line or a query."""

from typing import Any

import pytest
from gyre_common.events.documents import DocumentSubmitted
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant", ""),
        ("tenant", "Acme"),
        ("tenant", "acme\n"),
        ("tenant", "a\x00b"),
        ("tenant", "a/b"),
        ("tenant", "*"),
        ("tenant", "a" * 64),
        ("document_id", ""),
        ("document_id", "a\x00b"),
        ("document_id", "a\nb"),
        ("document_id", "a\x7fb"),
        ("document_id", "a\u2028b"),
        ("document_id", "a\ud800b"),
        ("document_id", "a" * 513),
        ("acl", [""]),
        ("acl", ["kit\tchen"]),
        ("acl", ["g" * 257]),
    ],
)
def test_a_name_that_could_do_harm_is_refused_by_its_field(field: str, value: Any) -> None:
    fields = {"document_id": "tea.md", "text": "Hot.", field: value}
    with pytest.raises(ValidationError) as excinfo:
        DocumentSubmitted.model_validate(fields)
    assert excinfo.value.errors()[0]["loc"][0] == field


def test_a_name_in_any_script_is_taken() -> None:
    submission = DocumentSubmitted(document_id="茶/ grüner Tee №1.md", tenant="0-acme")
    assert submission.document_id == "茶/ grüner Tee №1.md"
