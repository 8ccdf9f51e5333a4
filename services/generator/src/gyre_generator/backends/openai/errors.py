"""What to tell people when a model server fails: what is wrong, and which setting to look at."""

import openai
from gyre_common.errors import FailedPrecondition, Unavailable

from gyre_generator.backends.openai.usage import ServedModel


def error_of(error: openai.OpenAIError, model: ServedModel) -> Unavailable | FailedPrecondition:
    """By the client's type, or the status."""
    server = f"the model server at {model.place}"
    match error:
        case openai.APITimeoutError():
            return too_slow(model)
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return FailedPrecondition(f"{server} refused the key: set GYRE_LLM_KEY")
        case openai.NotFoundError():
            return FailedPrecondition(
                f"{server} does not know model {model.name!r} or the path: check GYRE_LLM_MODEL "
                "and GYRE_LLM_URL (which ends in /v1)"
            )
        case openai.RateLimitError():
            return Unavailable(f"{server} is over its limit", retry_after_seconds=10.0)
        case openai.APIStatusError(status_code=status) if status < 500:
            return FailedPrecondition(f"{server} refused the request (HTTP {status}): see its log")
        case openai.APIStatusError(status_code=status):
            return _retry_later(f"{server} fails (HTTP {status}): see its log")
        case openai.APIConnectionError():
            return _retry_later(
                f"{server} cannot be reached or hung up: start it, or check GYRE_LLM_URL"
            )
        case _:
            return unusable("an error in the middle of its answer", model)


def too_slow(model: ServedModel) -> Unavailable:
    """It took more time than it has."""
    return _retry_later(
        f"the model server at {model.place} is too slow (silent for {model.stall_seconds:g} s, or "
        f"not done in {model.total_seconds:g} s): raise GYRE_LLM_STALL_SECONDS or "
        "GYRE_LLM_TIMEOUT_SECONDS, or serve a smaller model"
    )


def unusable(what: str, model: ServedModel) -> Unavailable:
    """It sent `what`, which is no answer."""
    return _retry_later(
        f"the model server at {model.place} sent {what}: check that GYRE_LLM_URL is an "
        "OpenAI-shaped API (it ends in /v1)"
    )


def _retry_later(problem: str) -> Unavailable:
    return Unavailable(problem, retry_after_seconds=5.0)
