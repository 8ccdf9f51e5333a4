"""A git repository of this machine, and a server of it."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

_WHO = {
    **{
        f"GIT_{role}_{what}": "ann@example.com"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@dataclass(frozen=True)
class Repository:
    """A working copy."""

    folder: Path

    def git(self, *words: str) -> None:
        """As on the command line."""
        environ = {**os.environ, **_WHO}
        subprocess.run(
            ["git", *words], cwd=self.folder, check=True, capture_output=True, env=environ
        )

    def commit(self, **changes: str | None) -> None:
        """Write these files, or remove those that are None; `__` in a name is `/`, `_` is `.`."""
        for name, text in changes.items():
            file = self.folder / name.replace("__", "/").replace("_", ".")
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--message", "changes")


def a_repository(folder: Path) -> Repository:
    """A new one, on the branch main."""
    folder.mkdir(parents=True)
    repository = Repository(folder)
    repository.git("init", "--initial-branch", "main")
    return repository


class _Silent(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""


@contextmanager
def served(repository: Repository) -> Iterator[str]:
    """Its address, until the block ends."""
    from dulwich.repo import Repo

    backend: Any = {"/tea.git": Repo(str(repository.folder))}
    app = make_wsgi_chain(DictBackend(backend))
    server = make_server("127.0.0.1", 0, app, handler_class=_Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tea.git"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
