"""What a system holds that ran before runs told verdicts: records of its topics, and its store."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gyre_common.events.topic import Topic

FOLDER = Path(__file__).parent / "data" / "gyre_before_verdicts"
_HOME = "/var/lib/gyre"

TENANT = "demo"
RELEASED_RUN = "01a21fc2-39ce-7558-bd2f-55bf4dfe7878"
VERSION = "minilm-l6-v2-4dfe7878"


@dataclass(frozen=True)
class OldRecord:
    """As it lay on the topic."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class OldHome:
    """A copy of it below `home`, to which its addresses then refer."""

    def __init__(self, home: Path) -> None:
        self.home = home
        shutil.copytree(FOLDER / "store", home / "store")

    @property
    def store_url(self) -> str:
        return f"file://{self.home}/store"

    def records(self, topic: Topic) -> Sequence[OldRecord]:  # type: ignore[type-arg]
        lines = (FOLDER / f"{topic.name}.jsonl").read_text(encoding="utf-8").splitlines()
        return [self._record(json.loads(line)) for line in lines]

    def _record(self, line: dict[str, object]) -> OldRecord:
        value = json.dumps(line["value"], ensure_ascii=False).replace(_HOME, str(self.home))
        headers = line["headers"]
        assert isinstance(headers, dict)
        return OldRecord(
            str(line["key"]).encode(),
            value.encode(),
            tuple((name, text.encode()) for name, text in headers.items()),
        )
