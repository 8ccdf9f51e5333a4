"""The model server as an operator of models sees it: load, try, unload.

Weights: the local engine's own calls. Adapters: vLLM's run-time calls
(https://docs.vllm.ai/en/stable/features/lora/), which the local engine has too.
"""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import openai
from gyre_common.errors import FailedPrecondition, GyreError, Retryable
from gyre_common.held import NoRoom
from openai.types.chat import ChatCompletion

from gyre_generator.backends.openai.errors import ServerErrors
from gyre_generator.backends.openai.parameters import post_adapted
from gyre_generator.backends.openai.usage import ServedModel

_LOAD_SECONDS = 110.0
_TRY_SECONDS = 60.0
_LATER = frozenset({429, 500, 502, 503, 504})


class OpenAIModelServer:
    """Implements `ModelServer`; connects at the first call."""

    def __init__(self, served: ServedModel) -> None:
        self._errors = ServerErrors(served)
        self._default = served.model
        # No retries: `Held` tries again by itself.
        self._client = openai.AsyncOpenAI(
            base_url=served.url,
            api_key=served.key.get_secret_value(),
            timeout=_LOAD_SECONDS,
            max_retries=0,
        )

    async def close(self) -> None:
        """See `ModelServer`."""
        await self._client.close()

    async def load(self, name: str, folder: Path) -> None:
        """See `ModelServer`. A server without that call must have the model already."""
        try:
            await self._post("load_model", {"name": name, "path": str(folder)})
        except openai.NotFoundError as error:
            if name not in await self._names():
                raise FailedPrecondition(
                    f"the model server does not know {name}, and loads no weights at run time: "
                    f"start it with `--served-model-name {name}` on these weights"
                ) from error
        except openai.APITimeoutError as error:
            raise _still_loading(name) from error
        except openai.OpenAIError as error:
            raise self._translated(name, error) from error

    async def load_adapter(self, name: str, folder: Path, base: Path) -> None:
        """See `ModelServer`. vLLM has one base, and does not look at where another would lie."""
        body = {"lora_name": name, "lora_path": str(folder), "base_model_path": str(base)}
        try:
            await self._post("load_lora_adapter", body)
        except openai.BadRequestError as error:
            if name not in await self._names():  # vLLM refuses what it has already
                raise self._translated(name, error) from error
        except openai.NotFoundError as error:
            if _message(error.body):
                raise self._translated(name, error) from error
            raise FailedPrecondition(
                f"the model server loads no adapters at run time, so it cannot have {name}: start "
                "vLLM with --enable-lora, a --max-lora-rank that suits and "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
            ) from error
        except openai.APITimeoutError as error:
            raise _still_loading(name) from error
        except openai.OpenAIError as error:
            raise self._translated(name, error) from error

    async def unload(self, name: str, *, adapter: bool) -> None:
        """See `ModelServer`."""
        call, field = ("unload_lora_adapter", "lora_name") if adapter else ("unload_model", "name")
        try:
            await self._post(call, {field: name})
        except openai.NotFoundError:
            return
        except openai.OpenAIError as error:
            raise self._translated(name, error) from error

    async def complete_something(self, name: str) -> None:
        """See `ModelServer`."""
        body = {
            "model": name or self._default,
            "messages": [{"role": "user", "content": "Say yes."}],
            "max_tokens": 4,
            "temperature": 0,
        }
        try:
            completion, _ = await post_adapted(self._completed, body, frozenset())
        except openai.OpenAIError as error:
            raise self._translated(name or self._default, error) from error
        except ValueError as error:
            raise self._errors.unusable("something that is not a chat completion") from error
        if not getattr(completion, "choices", None):
            raise self._errors.unusable("something that is not a chat completion")

    async def _completed(self, body: Mapping[str, object]) -> ChatCompletion:
        return await self._client.post(
            "/chat/completions",
            body=body,
            cast_to=ChatCompletion,
            options={"timeout": _TRY_SECONDS},
        )

    async def _names(self) -> set[str]:
        try:
            page = await self._client.models.list()
        except openai.OpenAIError as error:
            raise self._errors.translated(error) from error
        return {model.id for model in page.data}

    async def _post(self, call: str, body: dict[str, str]) -> None:
        await self._client.post(f"/{call}", body=body, cast_to=str)

    def _translated(self, name: str, error: openai.OpenAIError) -> GyreError:
        """With what the server says, which knows more of the model than we do."""
        if not isinstance(error, openai.APIStatusError):
            return self._errors.translated(error)
        reason = _message(error.body)
        if not reason or isinstance(error, openai.AuthenticationError):
            return self._errors.translated(error)
        problem = f"the model server refuses {name}: {reason}"
        if error.status_code == HTTPStatus.INSUFFICIENT_STORAGE:
            return NoRoom(problem)
        return (Retryable if error.status_code in _LATER else FailedPrecondition)(problem)


def _still_loading(name: str) -> Retryable:
    return Retryable(f"the model server has not loaded {name} in {_LOAD_SECONDS:g} s")


def _message(body: Any) -> str:
    """Of an error in OpenAI's shape, whole or as its client unpacks it."""
    inner = body.get("error", body) if isinstance(body, dict) else {}
    message = inner.get("message", "") if isinstance(inner, dict) else ""
    return message if isinstance(message, str) else ""
