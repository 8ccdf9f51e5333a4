"""The last answer of each shell: what `gyre vote up` and `gyre explain` mean without an id.

Two shells never mean each other's answers: it is kept by tenant and by session (what a terminal
starts is one session), in the home, for a day.
"""

import json
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gyre_client.errors import InvalidInput

from gyre_cli.settings import CliSettings

if TYPE_CHECKING:
    from gyre_client import AsyncClient

_SECONDS = 24 * 3600.0
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BEGINNING = re.compile(r"[0-9a-f-]{4,36}")


@dataclass(frozen=True)
class LastAnswer:
    """Enough to vote on it."""

    interaction_id: str
    question: str
    chunk_ids: Sequence[str] = ()


def remember(settings: CliSettings, answer: LastAnswer) -> bool:
    """For this shell; False where the home cannot be written, which spoils no answer."""
    path = _path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(asdict(answer)))
        draft.replace(path)
    except OSError:
        return False
    for other in path.parent.iterdir():
        with suppress(OSError):
            if _age(other) > _SECONDS:
                other.unlink()
    return True


def recall(settings: CliSettings) -> LastAnswer:
    """Raises InvalidInput when this shell has asked nothing of the tenant today."""
    last = _last(settings)
    if last is None:
        raise InvalidInput(
            "ID",
            f"is missing, and this shell has no answer for tenant {settings.tenant} yet",
            "ask first, or give what `gyre ask` printed",
        )
    return last


async def interaction_id(gyre: "AsyncClient", text: str, settings: CliSettings) -> str:
    """What is meant by an id, the beginning of one, or nothing: the last answer.

    Raises:
        InvalidInput: it is no id, begins several, or nothing was asked here.
        NotFound: no id begins so.
    """
    beginning = text.lower()
    if not beginning:
        return recall(settings).interaction_id
    if _UUID.fullmatch(beginning):
        return beginning
    if not _BEGINNING.fullmatch(beginning):
        raise InvalidInput(
            "ID",
            f"is {text}, no id and no beginning of one",
            "give 4 characters or more of what `gyre ask` printed",
        )
    return await gyre.history.interaction_id(beginning)


async def chunk_id(gyre: "AsyncClient", text: str, answer_id: str, settings: CliSettings) -> str:
    """What is meant by the beginning of a passage's id. Raises as `interaction_id`."""
    if not text or _UUID.fullmatch(text):
        return text
    from gyre_client.history import only_match

    last = _last(settings)
    if last is not None and last.interaction_id == answer_id:
        ids = last.chunk_ids
    else:
        story = await gyre.history.explain(answer_id)
        ids = [passage.chunk_id for passage in story.retrieved]
    return only_match([one for one in ids if one.startswith(text.lower())], text, "passage")


def _last(settings: CliSettings) -> LastAnswer | None:
    path = _path(settings)
    with suppress(OSError, ValueError, TypeError):
        if _age(path) < _SECONDS:
            return LastAnswer(**json.loads(path.read_text()))
    return None


def _path(settings: CliSettings) -> Path:
    return settings.home / "last-answers" / f"{settings.tenant}-{os.getsid(0)}.json"


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
