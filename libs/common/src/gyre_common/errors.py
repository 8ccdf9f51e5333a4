"""The few kinds of failure that Gyre tells apart."""


class GyreError(Exception):
    """A failure with a message fit for a person."""


class Retryable(GyreError):
    """Trying again later may work: an engine is down, slow or busy."""


class Poison(GyreError):
    """This message will never work, however often it is tried."""


class Unavailable(Retryable):
    """Something needed to serve a request is not there; the caller may try again."""

    def __init__(self, what: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(what)
        self.retry_after_seconds = retry_after_seconds


class TooManyCalls(Unavailable):
    """The caller has as much work under way here as one caller may; others have room."""


class InvalidInput(GyreError):
    """A request that breaks the contract: which field, what is wrong, what to do.

    `code` names the reason for programs, where the contract lists reasons; else it is empty.
    """

    def __init__(self, field: str, problem: str, fix: str, *, code: str = "") -> None:
        super().__init__(f"{field} {problem}: {fix}")
        self.field = field
        self.problem = problem
        self.fix = fix
        self.code = code


class NotFound(GyreError):
    """What was asked for does not exist."""


class FailedPrecondition(GyreError):
    """The request is well formed but the system's state does not allow it (now).

    `code` names the reason for programs that can do something about it; else it is empty.
    """

    def __init__(self, what: str, *, code: str = "") -> None:
        super().__init__(what)
        self.code = code


LOADING = "loading"
"""Code of a FailedPrecondition: what was asked for is being made ready; ask again in a moment."""

CONTEXT_TOO_LONG = "context-too-long"
"""Code of a FailedPrecondition: what a model should read is longer than its window."""

EMPTY_ANSWER = "empty-answer"
"""Code of a FailedPrecondition: the model ended before its first word."""


class DeadlineExceeded(GyreError):
    """The caller's time ran out."""


class Conflict(GyreError):
    """Someone else changed it first; read the present state and try again."""


class Unauthenticated(GyreError):
    """The call carries no key that this server knows."""


class PermissionDenied(GyreError):
    """The caller's key does not allow it."""
