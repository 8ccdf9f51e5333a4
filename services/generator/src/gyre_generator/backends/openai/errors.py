"""What to tell people when a model server fails: what is wrong, and which setting to look at."""

from urllib.parse import urlsplit

import openai
from gyre_common.errors import (
    CONTEXT_TOO_LONG,
    EMPTY_ANSWER,
    FailedPrecondition,
    GyreError,
    Unavailable,
)

from gyre_generator.backends import MODEL_MISSING
from gyre_generator.backends.openai.usage import ServedModel


class ServerErrors:
    """Of the server of one model."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._server = f"the model server at {urlsplit(model.url).netloc.rpartition('@')[2]}"
        self._url, self._key = f"{model.variables}_URL", f"{model.variables}_KEY"

    def translated(self, error: openai.OpenAIError) -> GyreError:
        """By the client's type, or the status."""
        match error:
            case openai.APITimeoutError():
                return self.too_slow()
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return FailedPrecondition(f"{self._server} refused the key: set {self._key}")
            case openai.NotFoundError():
                return FailedPrecondition(
                    f"{self._server} does not know model {self._model.model!r} or the path: check "
                    f"the setting model of the version, GYRE_LLM_MODEL and {self._url} (which ends "
                    "in /v1)",
                    code=MODEL_MISSING,
                )
            case openai.BadRequestError(code="context_length_exceeded"):
                return FailedPrecondition(
                    f"{self._server} says that the prompt is longer than the window of its model: "
                    "lower GYRE_CONTEXT_TOKENS, send less, or release one with a larger window",
                    code=CONTEXT_TOO_LONG,
                )
            case openai.RateLimitError():
                return Unavailable(f"{self._server} is over its limit", retry_after_seconds=10.0)
            case openai.APIStatusError(status_code=status) if status < 500:
                problem = f"{self._server} refused the request (HTTP {status}): see its log"
                return FailedPrecondition(problem)
            case openai.APIStatusError(status_code=status):
                return self._retry_later(f"fails (HTTP {status}): see its log")
            case openai.APIConnectionError():
                fix = f"start it, or check {self._url}"
                return self._retry_later(f"cannot be reached or hung up: {fix}")
            case _:
                return self.unusable("an error in the middle of its answer")

    def too_slow(self) -> GyreError:
        """It took more time than it has."""
        silent, total = self._model.stall_seconds, self._model.timeout_seconds
        return self._retry_later(
            f"is too slow (silent for {silent:g} s, or not done in {total:g} s): raise "
            "GYRE_LLM_STALL_SECONDS or GYRE_LLM_TIMEOUT_SECONDS, or serve a smaller model"
        )

    def unusable(self, what: str) -> GyreError:
        """It sent `what`, which is no answer."""
        fix = f"check that {self._url} is an OpenAI-shaped API (it ends in /v1)"
        return self._retry_later(f"sent {what}: {fix}")

    def too_long(self, window: int) -> GyreError:
        """What is asked leaves no room in the model's window."""
        return FailedPrecondition(
            f"question, earlier turns, instructions and one passage need more than the {window:,} "
            f"tokens of {self._server}: send less, or release a model with a larger window",
            code=CONTEXT_TOO_LONG,
        )

    def empty(self, finish_reason: str) -> GyreError:
        """It ended for that reason before the first word."""
        problem = {
            "length": "used all tokens before its answer began: raise GYRE_LLM_MAX_TOKENS, or ask "
            "for more max_tokens",
            "content_filter": "filtered the whole answer: ask in other words, or set its filter",
            "stop": "wrote an empty answer: ask in other words, or release another model",
        }.get(finish_reason)
        if problem is None:
            return self.unusable("an empty answer")
        return FailedPrecondition(f"{self._server} {problem}", code=EMPTY_ANSWER)

    def _retry_later(self, problem: str) -> GyreError:
        return Unavailable(f"{self._server} {problem}", retry_after_seconds=5.0)
