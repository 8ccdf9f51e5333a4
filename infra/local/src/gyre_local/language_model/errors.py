"""What the endpoint refuses, in OpenAI's shape.

https://platform.openai.com/docs/guides/error-codes
"""

from typing import Any


class ApiError(Exception):
    """A refusal with its HTTP status; `code` is for programs, `param` names the field."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        fields = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": fields}


def unknown_model(name: str, known: list[str]) -> ApiError:
    """404, with what there is."""
    there_are = ", ".join(known) or "none"
    return ApiError(
        404,
        f"The model `{name}` is not loaded here (loaded: {there_are}): load it by /v1/load_model.",
        code="model_not_found",
        param="model",
    )


def unloaded() -> ApiError:
    """404 in the middle of a request."""
    problem = "The model was unloaded meanwhile: load it by /v1/load_model."
    return ApiError(404, problem, code="model_not_found", param="model")


def packages_missing() -> ApiError:
    """503: nothing can be loaded before an operator does something."""
    return ApiError(
        503,
        "the packages that run language models are not installed: run `make setup-llm`",
        code="engine-packages-missing",
    )


def too_long(prompt: int, answer: int, window: int) -> ApiError:
    """400, as OpenAI says it."""
    return ApiError(
        400,
        f"This model's maximum context length is {window} tokens, but {prompt + answer} were "
        f"requested ({prompt} in the messages, {answer} in the completion): shorten the messages "
        "or lower max_tokens.",
        code="context_length_exceeded",
        param="messages",
    )
