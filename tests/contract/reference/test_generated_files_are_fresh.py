"""What is generated and checked in is what the code says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from gyre_common.events import ALL_TOPICS, Topic

from tests.builders import EXAMPLES
from tools import contracts, proto

ROOT = Path(__file__).resolve().parents[3]


def files(folder: Path) -> dict[str, str]:
    """Every file's text by its path within the folder."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_reference_pages_and_schemas_are_what_make_contracts_writes(tmp_path: Path) -> None:
    contracts.write_all(tmp_path)
    assert files(tmp_path) == files(ROOT / "docs" / "reference")


def test_stubs_are_what_make_proto_writes(tmp_path: Path) -> None:
    assert proto.generate(tmp_path) == 0
    assert files(tmp_path / "gyre") == files(ROOT / "libs/common/src/gyre")


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_a_topics_example_parses_to_the_same_event(topic: Topic[Any]) -> None:
    text = (ROOT / "docs/reference/events" / f"{topic.name}.example.json").read_text()
    assert topic.model.model_validate_json(text) == EXAMPLES[topic.name]


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_a_topics_example_with_a_new_field_still_parses(topic: Topic[Any]) -> None:
    text = (ROOT / "docs/reference/events" / f"{topic.name}.example.json").read_text()
    newer = json.dumps({**json.loads(text), "field_of_a_later_version": 1})
    assert topic.model.model_validate_json(newer) == EXAMPLES[topic.name]


def test_every_topic_has_a_sender() -> None:
    specification = yaml.safe_load((ROOT / "docs/reference/asyncapi.yaml").read_text())
    senders = [
        each["channel"]["$ref"].removeprefix("#/channels/")
        for each in specification["operations"].values()
        if each["action"] == "send"
    ]
    sent_topics = {specification["channels"][name]["address"] for name in senders}
    assert sent_topics == {topic.name for topic in ALL_TOPICS}


def test_every_variable_a_service_reads_is_in_its_readme() -> None:
    own_settings = ROOT.glob("services/*/src/*/settings.py")
    for settings in (*own_settings, ROOT / "libs/common/src/gyre_common/settings.py"):
        readme = (settings.parents[2] / "README.md").read_text(encoding="utf-8")
        names = re.findall(
            r"^    ([a-z_]+): (?!ClassVar)[^=\n]+ = ", settings.read_text(), re.MULTILINE
        )
        own = {f"GYRE_{n.upper()}" for n in names if n not in ("service",)}
        ports = {"GYRE_GRPC_PORT_BASE", "GYRE_METRICS_PORT_BASE"}
        missing = {name for name in own - ports if name not in readme}
        assert not missing, f"{readme.splitlines()[0]} does not mention {missing}"
