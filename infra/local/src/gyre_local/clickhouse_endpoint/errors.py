"""The engine's errors: ClickHouse's own code and text, and the HTTP status they go with."""

import re
from enum import IntEnum

_CODE = re.compile(r"Code: (\d+)\.")


class Code(IntEnum):
    """The codes that this endpoint raises by itself; every other one comes from the engine.

    https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
    """

    BAD_ARGUMENTS = 36
    NOT_IMPLEMENTED = 48
    SYNTAX_ERROR = 62
    UNKNOWN_TYPE_OF_QUERY = 78
    READONLY = 164
    MEMORY_LIMIT_EXCEEDED = 241
    SESSION_NOT_FOUND = 372
    SESSION_IS_LOCKED = 373
    CANNOT_DECOMPRESS = 271
    TOO_MANY_BYTES = 307
    ACCESS_DENIED = 497
    AUTHENTICATION_FAILED = 516


class EngineError(Exception):
    """A query that the engine, or the endpoint in its place, refused."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @classmethod
    def refusal(cls, code: Code, problem: str) -> "EngineError":
        """An error of the endpoint's own, in the words that ClickHouse would use."""
        return cls(code, f"Code: {code.value}. DB::Exception: {problem} ({code.name})")

    @classmethod
    def reported(cls, message: str) -> "EngineError":
        """An error as chdb words it: ClickHouse's text, sometimes behind a preface of its own."""
        start = message.find("Code: ")
        text = message[start:].strip() if start >= 0 else message.strip()
        match = _CODE.match(text)
        return cls(int(match.group(1)) if match else 1001, text)

    @property
    def status(self) -> int:
        """The HTTP status that a ClickHouse server answers with for this code."""
        return _STATUS.get(self.code, 500)


# As ClickHouse's src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; permission errors, for which it
# answers 500, are told apart as 403.
_CODES = {
    400: (
        6, 15, 16, 25, 26, 27, 36, 38, 41, 44, 53, 62, 69, 72, 117, 124, 130, 167, 168, 169, 235,
        306, 372, 373, 376, 427, 441, 456, 457, 675, 676,
    ),
    401: (194,),
    403: (164, 192, 193, 452, 497, 512, 516),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 82, 115, 511),
    408: (159, 160),
    411: (381,),
    413: (307,),
    501: (48,),
    503: (76, 209, 439),
}  # fmt: skip
_STATUS = {code: status for status, codes in _CODES.items() for code in codes}
