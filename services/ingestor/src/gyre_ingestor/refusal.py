"""Why a document cannot be taken, in words that its producer can act on."""

from typing import Any

from gyre_common.events.documents import RejectionCode


class DocumentRefused(Exception):
    """The document itself is at fault: which field, what is wrong with it, what to do."""

    def __init__(self, code: RejectionCode, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field} {problem}: {fix}")
        self.code = code
        self.field = field
        self.problem = problem
        self.fix = fix

    def __reduce__(self) -> tuple[Any, ...]:  # it travels between processes
        return DocumentRefused, (self.code, self.field, self.problem, self.fix)
