"""Adapters as PEFT keeps them: two files, of which one names the base that they fit."""

import json
from pathlib import Path

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def name_base(folder: Path, base: Artifact) -> None:
    """Write into an adapter's config which version it belongs to, and the digest of that."""
    path = folder / ADAPTER_CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base.version, "revision": base.digest}
    text = json.dumps({**config, "inference_mode": True}, indent=2, sort_keys=True)
    path.write_text(text, encoding="utf-8")


def check_base_of(folder: Path, base: Artifact) -> None:
    """Raises FailedPrecondition where the adapter in a folder belongs to another base."""
    path = folder / ADAPTER_CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        version, digest = config["base_model_name_or_path"], config["revision"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FailedPrecondition(f"{path} does not name its base: it is damaged") from error
    if (version, digest) != (base.version, base.digest):
        raise FailedPrecondition(
            f"the adapter in {folder} was made for {version} ({digest}), not for {base.version} "
            f"({base.digest}): train another, or name its own base"
        )
