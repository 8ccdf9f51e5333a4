"""What can go wrong, as typed exceptions; each message says what to do."""


class GyreError(Exception):
    """A failure with a message fit for a person."""


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


class Conflict(GyreError):
    """Someone else changed it first; read the present state and try again."""


class Unauthenticated(GyreError):
    """The call carries no key that this server knows."""


class PermissionDenied(GyreError):
    """The caller's key does not allow it."""


class DeadlineExceeded(GyreError):
    """The call took longer than it was given."""


class Unavailable(GyreError):
    """Something needed to serve the call is not there.

    `retry_after_seconds` is how long a server asks to wait before another try; None where none did.
    """

    def __init__(self, what: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_seconds = retry_after_seconds


class TooManyCalls(Unavailable):
    """The caller has as much work under way as one caller may; others have room."""


class Unreachable(Unavailable):
    """Nothing answers at the address."""

    def __init__(self, address: str, service: str) -> None:
        super().__init__(f"nothing answers at {address}, where service {service} should be")
        self.address = address
        self.service = service
