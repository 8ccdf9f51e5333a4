"""What every program prints: one line of JSON for each step."""

import json


def say(step: str, **seen: object) -> None:
    """`seen` is what the client made of the reply."""
    print(json.dumps({"step": step, **seen}), flush=True)  # noqa: T201
