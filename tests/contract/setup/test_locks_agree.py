"""Installing what training needs must not move what everything else runs on."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
_PIN = re.compile(r"^([a-z0-9_.-]+==[^\\]+?) *\\$", re.MULTILINE)


def pins(lock: str) -> set[str]:
    return set(_PIN.findall((ROOT / lock).read_text()))


def test_the_training_lock_holds_every_pin_of_the_other_and_torch_besides() -> None:
    everything, serving = pins("requirements-train.lock"), pins("requirements.lock")
    assert serving <= everything
    names = {pin.partition("==")[0] for pin in everything - serving}
    assert {"torch", "deepspeed", "transformers", "onnxscript"} <= names
    assert not {"torch", "deepspeed", "transformers"} & {pin.partition("==")[0] for pin in serving}


def test_the_lock_of_language_models_holds_every_pin_and_their_engine_besides() -> None:
    with_models, serving = pins("requirements-llm.lock"), pins("requirements.lock")
    assert serving <= with_models
    assert with_models <= pins("requirements-train.lock")
    assert "openvino-genai" in {pin.partition("==")[0] for pin in with_models - serving}


def test_every_package_has_its_hashes_and_no_address() -> None:
    for lock in ("requirements-train.lock", "requirements-llm.lock", "requirements.lock"):
        text = (ROOT / lock).read_text()
        assert text.count("==") <= text.count("--hash=sha256:")
        assert "://" not in text
