"""Which parameters a server takes: what it refuses is renamed or left out."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

import openai

T = TypeVar("T")

_ADAPTABLE = ("max_tokens", "seed", "stop", "stream_options", "temperature")
_REFUSALS = (400, 422)
_WORD = re.compile(r"[a-z_]+")


async def post_adapted(
    post: Callable[[Mapping[str, object]], Awaitable[T]],
    body: Mapping[str, object],
    refused: frozenset[str],
) -> tuple[T, frozenset[str]]:
    """What `post` returns for the request without what its server refuses, and what that is:
    `refused` is known of it already. Raises OpenAIError for every other problem.
    """
    while True:
        acceptable = adapted(body, refused)
        try:
            return await post(acceptable), refused
        except openai.APIStatusError as error:
            parameter = refused_parameter(error, acceptable)
            if parameter is None:
                raise
            refused |= {parameter}


def adapted(body: Mapping[str, object], refused: Collection[str]) -> dict[str, object]:
    """The same request without what was refused. The bound on the length has another name with
    servers that refuse it (platform.openai.com/docs/api-reference/chat/create).
    """
    accepted = {name: value for name, value in body.items() if name not in refused}
    if "max_tokens" in refused:
        accepted["max_completion_tokens"] = body["max_tokens"]
    return accepted


def refused_parameter(error: openai.APIStatusError, body: Mapping[str, object]) -> str | None:
    """The parameter of `body` that an error refuses and an answer can do without, or None.

    OpenAI names it in `param`, others in `loc` or in words alone, so all of the reply is read.
    """
    if error.status_code not in _REFUSALS:
        return None
    named = {error.param} if error.param else set(_WORD.findall(str(error.body)))
    return next((name for name in _ADAPTABLE if name in body and name in named), None)
