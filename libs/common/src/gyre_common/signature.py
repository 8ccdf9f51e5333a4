"""Who wants a change, and why: recorded with everything that people start or decide."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Signature:
    """`reason` may be empty where the contract does not ask for one."""

    actor: str
    reason: str = ""
