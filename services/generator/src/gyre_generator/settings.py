"""The generator's variables."""

from pathlib import Path
from typing import ClassVar, Literal, Self

from gyre_common.settings import ServiceSettings, Url
from pydantic import Field, SecretStr, model_validator


class GeneratorSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "generator"
    grpc_port_base: ClassVar[int] = 50054
    metrics_port_base: ClassVar[int] = 9104

    generator_backend: Literal["extractive", "openai"] | None = None
    prompts_dir: Path | None = None
    passages: int = Field(default=10, ge=1, le=100)
    context_tokens: int = Field(default=3_000, ge=100, le=32_000)
    retrieve_seconds: float = Field(default=10.0, gt=0, le=300)
    judge_seconds: float = Field(default=30.0, gt=0, le=600)

    model_cache: Path = Field(default_factory=lambda known: known["home"] / "models")

    llm_url: Url | None = None
    llm_model: str = ""
    llm_key: SecretStr = SecretStr("none")
    llm_max_tokens: int = Field(default=1_024, ge=16, le=8_192)
    llm_timeout_seconds: float = Field(default=60.0, gt=0, le=3_600)
    llm_stall_seconds: float = Field(default=20.0, gt=0, le=600)
    llm_prompt_usd: float = Field(default=0.0, ge=0)
    llm_completion_usd: float = Field(default=0.0, ge=0)

    hosted_llm_url: Url | None = None
    hosted_llm_key: SecretStr = SecretStr("none")
    hosted_llm_prompt_usd: float = Field(default=0.0, ge=0)
    hosted_llm_completion_usd: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _model_has_a_server(self) -> Self:
        if self.generator_backend == "openai" and not (self.llm_url and self.llm_model):
            raise ValueError(
                "GYRE_GENERATOR_BACKEND is openai: set GYRE_LLM_URL and GYRE_LLM_MODEL"
            )
        if self.hosted_llm_url and not self.llm_url:
            raise ValueError(
                "GYRE_HOSTED_LLM_URL is for a server beside that of GYRE_LLM_URL: set that as "
                "well, or that alone"
            )
        if self.prompts_dir is not None and not self.prompts_dir.is_dir():
            raise ValueError("GYRE_PROMPTS_DIR is not a folder")
        return self

    def of_model_server(self) -> dict[str, object]:
        """The variables GYRE_LLM_…, without that beginning."""
        return {name[4:]: value for name, value in self if name.startswith("llm_")}

    def of_hosted_server(self) -> dict[str, object]:
        """The variables GYRE_HOSTED_LLM_…, in the place of those without HOSTED."""
        own = {name[11:]: value for name, value in self if name.startswith("hosted_llm_")}
        return {**self.of_model_server(), **own, "variables": "GYRE_HOSTED_LLM"}
