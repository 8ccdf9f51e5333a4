"""What is wrong with a document, for who sent it."""

from typing import Any

from gyre_common.errors import InvalidInput
from gyre_common.events.documents import RejectionCode

_CHECK_OR_SPLIT = "check that it is a well-formed document, or split it into smaller ones"


class DocumentRefused(InvalidInput):
    """The document itself is at fault."""

    code: RejectionCode

    def __init__(self, code: RejectionCode, field: str, problem: str, fix: str) -> None:
        super().__init__(field, problem, fix, code=code)

    def __reduce__(self) -> tuple[Any, ...]:  # it travels between processes
        return DocumentRefused, (self.code, self.field, self.problem, self.fix)


def unreadable(problem: str) -> DocumentRefused:
    """The content is not what its format says."""
    return DocumentRefused(RejectionCode.CORRUPT, "content", problem, _CHECK_OR_SPLIT)


def reserved() -> DocumentRefused:
    """Of a document that the caller may not know of: it says no more than that."""
    fix = "choose another one"
    return DocumentRefused(RejectionCode.NAME_RESERVED, "document_id", "is reserved", fix)
