"""No regular expression of the project runs away, whatever text it meets.

Python's engine backtracks: a pattern that can read a stretch of text in two ways may need a minute
for 2 KB. Outside text reaches nearly every pattern sooner or later, so all of them are tried.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.runaway import Pattern, find_runaway

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("libs", "services", "infra", "bench", "tools")
_FLAGS_AT = {"compile": 1, "sub": 4, "subn": 4, "split": 3}
"""Which argument holds the flags; the third for every other function."""
_FROM_THE_START = {"match", "fullmatch"}


@dataclass(frozen=True)
class Use:
    """A pattern in the source; `anchored` if it is only used from a text's start."""

    place: str
    pattern: Pattern
    anchored: bool


def uses() -> Iterator[Use]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if "re." in source and ".venv" not in path.parts:
                yield from uses_in(source, str(path.relative_to(ROOT)))


def uses_in(source: str, name: str) -> Iterator[Use]:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=function), args=[_, *_]):
                if function == "escape":
                    continue
                place = f"{name}:{node.lineno}"
                functions = _called_on(tree, node) if function == "compile" else {function}
                yield Use(
                    place, _pattern(tree, node, function, place), functions <= _FROM_THE_START
                )


def _pattern(tree: ast.Module, call: ast.Call, function: str, place: str) -> Pattern:
    at = _FLAGS_AT.get(function, 2)
    flags = next((word.value for word in call.keywords if word.arg == "flags"), None)
    if flags is None and len(call.args) > at:
        flags = call.args[at]
    try:
        pattern: Pattern = re.compile(
            _value(tree, call.args[0]), _value(tree, flags) if flags else 0
        )
    except NameError as error:
        pytest.fail(f"{place}: write the pattern from literals and constants ({error})")
    return pattern


def _value(tree: ast.Module, expression: ast.expr) -> Any:
    """An expression over the module's own constants, and those that it imports from Gyre."""
    names: dict[str, object] = {"re": re}
    used_names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)} - {"re"}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=constant) if name in used_names:
                names[name] = _value(tree, constant)
            case ast.ImportFrom(module=str(module), names=imported):
                for alias in imported:
                    if alias.name in used_names:
                        names[alias.name] = getattr(importlib.import_module(module), alias.name)
    code = compile(ast.Expression(expression), "<pattern>", "eval")
    return eval(code, {"__builtins__": {}}, names)


def _called_on(tree: ast.Module, compiled: ast.Call) -> set[str]:
    """The methods called on a pattern that is given a name; "?" for what is not seen."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is compiled:
                return _methods(tree, name) or {"?"}
    return {"?"}


def _methods(tree: ast.Module, name: str) -> set[str]:
    attributes = {
        id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    return {
        attributes.get(id(node), "?")
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    }


@pytest.mark.parametrize("use", list(uses()), ids=lambda use: use.place)
def test_a_pattern_takes_linear_time(use: Use) -> None:
    runaway = find_runaway(use.pattern, anchored=use.anchored)
    assert runaway is None, f"{use.place} {use.pattern.pattern!r} runs away: {runaway}"


@pytest.mark.parametrize(
    ("pattern", "anchored"),
    [
        (r"\s*(<!--.*?-->\s*)*<html", True),  # exponential: a comment may hold the next one
        (r"(a+)+b", True),
        (r"\{\{<\s*([^{}]*?)\s*>\}\}", False),  # cubic in a run of spaces
        (r"a*a*b", True),
        (r"\s*\[\d\]", False),  # quadratic: from every space of a run
        (r"\bafter\b.*\d", False),
        (r"<a>.*?</a>", False),  # from every opening tag to the end
        (r"^\s*--.*$", False),
    ],
)
def test_a_pattern_that_runs_away_is_caught(pattern: str, anchored: bool) -> None:
    assert find_runaway(re.compile(pattern, re.DOTALL | re.MULTILINE), anchored=anchored)


@pytest.mark.parametrize(
    ("pattern", "anchored"),
    [
        (r"\s*\[\d\]", True),
        (r"(?<!\s)\s*\[\d\]", False),
        (r"\bafter\b.{0,80}\d", False),
        (r"[a-z]+(?:-[a-z]+)*", False),
    ],
)
def test_a_pattern_that_takes_linear_time_passes(pattern: str, anchored: bool) -> None:
    assert find_runaway(re.compile(pattern), anchored=anchored) is None
