"""No name is a riddle: `told`, `found`, `asked`, `said` and `kept` say that something happened, not
what a value is.

Sentences are no names: what a test is called, `not_found`, and what others define.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("libs", "services", "infra", "bench", "tests")
GENERATED = ROOT / "libs" / "protos"
RIDDLES = {"told", "found", "asked", "said", "kept"}
STORED = {
    ("services/trainer/src/gyre_trainer/language_models/inputs.py", "asked"): "samples.jsonl",
    ("services/trainer/src/gyre_trainer/language_models/report.py", "asked"): "report.json",
    ("services/trainer/src/gyre_trainer/settings.py", "runs_kept"): "GYRE_RUNS_KEPT",
}
"""Fields that are read from what was written before, and where."""
_WORDS = re.compile("|".join(RIDDLES), re.IGNORECASE)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def is_riddle(name: str) -> bool:
    """Whether one of its parts is such a word, other than in `not_found`."""
    parts = [part.lower() for part in _PART.findall(name)]
    return any(
        part in RIDDLES and not (part == "found" and parts[at - 1 : at] == ["not"])
        for at, part in enumerate(parts)
    )


def names_in(source: str) -> Iterator[tuple[int, str]]:
    """Every name that it defines, with its line."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if not name.startswith("test_"):
                    yield node.lineno, name
            case ast.ClassDef(name=name) | ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.MatchAs() | ast.MatchStar() | ast.ExceptHandler():
                yield from [(node.lineno, node.name)] if node.name else []
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Import() | ast.ImportFrom():
                yield from ((node.lineno, each.asname) for each in node.names if each.asname)


def riddles() -> Iterator[tuple[str, int, str]]:
    """File, line and name; a file is named as well, at line 0."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if GENERATED in path.parents or {".venv", "node_modules"} & set(path.parts):
                continue
            own = [] if path.stem.startswith("test_") else [(0, path.stem)]
            source = path.read_text(encoding="utf-8")
            names = names_in(source) if _WORDS.search(source) else ()
            for line, name in (*own, *names):
                if is_riddle(name):
                    yield str(path.relative_to(ROOT)), line, name


def test_every_name_says_what_the_value_is() -> None:
    names = {(path, name): line for path, line, name in riddles()}
    others = [
        f"{path}:{line} {name}"
        for (path, name), line in names.items()
        if (path, name) not in STORED
    ]
    assert not others, f"name the value in the field's own terms: {', '.join(others)}"
    assert names.keys() == STORED.keys()


@pytest.mark.parametrize(
    "source",
    [
        "told = 1",
        "def _is_told(): ...",
        "class AsAsked: ...",
        "def f(*, kept_in): ...",
        "self._said = 1",
        "MOST_KEPT = 1",
        "import a as found",
        "for said in lines: ...",
        "if kept := f(): ...",
        "try: ...\nexcept OSError as told: ...",
        "match x:\n    case [*found]: ...",
    ],
)
def test_a_riddle_is_seen_wherever_a_name_is_defined(source: str) -> None:
    assert [is_riddle(name) for _, name in names_in(source)][-1]


@pytest.mark.parametrize("name", ["not_found", "NotFound", "NOT_FOUND", "foundation", "retold"])
def test_a_plain_name_is_none(name: str) -> None:
    assert not is_riddle(name)
