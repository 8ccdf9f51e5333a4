"""`--set NAME=VALUE`, as `train` and `register` take it."""

from collections.abc import Sequence

from gyre_client.errors import InvalidInput


def pairs(options: Sequence[str]) -> dict[str, str]:
    """By name; the last one stands. Raises InvalidInput."""
    parts = [one.partition("=") for one in options]
    for name, equals, _ in parts:
        if not name or not equals:
            raise InvalidInput("--set", f"is {name}", "write NAME=VALUE")
    return {name: value for name, _, value in parts}
