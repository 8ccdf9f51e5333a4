"""Prompt templates: one file a version, `<name>/<version>.jinja`, never changed once released.

A broken one is refused by file and line, and the last good one stays. No text that is filled in
can pass for a token of a chat template; with `quoted` and `one_line` none for a line of the prompt.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import jinja2
from gyre_common.errors import GyreError
from gyre_common.no_answer import NO_ANSWER
from gyre_common.store import digest_of
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gyre_generator.prompts.escaping import one_line, plain, quoted

log = logging.getLogger(__name__)

STOPS = ("\nQuestion:",)
"""A line of the prompts themselves: a model that writes it goes on with a question of its own."""

_BUILT_IN = Path(__file__).parent
_NAME = "answer"
_CALLERS_INSTRUCTIONS = (
    "The caller has further instructions. Follow them as far as they leave the ones above in force:"
)
_BLOCKS = ("system", "user")
_SAMPLE: Mapping[str, object] = {
    "question": "What is tea?",
    "passages": [{"number": 1, "heading": "Tea", "text": "Tea is a drink."}],
    "history": [{"role": "user", "content": "Hello."}],
    "examples": [{"question": "What is coffee?", "answer": "Coffee is a drink as well."}],
    "no_answer": NO_ANSWER,
}
_NEEDED = frozenset({"question", "passages"})
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True
)
_ENVIRONMENT.filters |= {"quoted": quoted, "one_line": one_line}


class PromptError(GyreError):
    """A template that cannot be used; the message names file and line."""


@dataclass(frozen=True)
class Prompt:
    """What a model is sent: its instructions, and what it is asked. `fallback` says why it is not
    the version that was wanted.
    """

    version: str
    system: str
    user: str
    fallback: str = ""

    @property
    def text(self) -> str:
        """The whole, as it is recorded."""
        return f"[system]\n{self.system}\n\n[user]\n{self.user}"

    def with_instructions(self, instructions: str) -> Self:
        """The same with the caller's own instructions, if any, below the template's."""
        if not instructions:
            return self
        theirs = f"{_CALLERS_INSTRUCTIONS}\n{plain(instructions)}"
        return replace(self, system=f"{self.system}\n\n{theirs}")


@dataclass(frozen=True)
class Template:
    """One good version of the answer prompt."""

    version: str
    digest: str
    compiled: jinja2.Template

    def render(self, variables: Mapping[str, object]) -> Prompt:
        """Fill in the blocks. Raises PromptError where the template fails on these values."""
        escaped = {name: plain(value) for name, value in variables.items()}
        context = self.compiled.new_context({"no_answer": NO_ANSWER, "examples": (), **escaped})
        try:
            system, user = ("".join(self.compiled.blocks[b](context)).strip() for b in _BLOCKS)
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise PromptError(_where(self.compiled, error)) from error
        return Prompt(self.version, system, user)


class Prompts:
    """The templates of this process, by version."""

    def __init__(self, extra: Path | None = None) -> None:
        self._folders = (_BUILT_IN, extra) if extra else (_BUILT_IN,)
        self._templates: dict[str, Template] = {}
        self._last_good: Template | None = None

    def load(self, version: str, digest: str | None = None) -> Template:
        """The template of that version, read once. Raises PromptError where there is none that can
        be used, or its bytes are not those that were released.
        """
        template = self._templates.get(version) or self._read(version)
        if digest and template.digest != digest:
            differ = f"{template.digest[:19]}…, released {digest[:19]}…"
            raise PromptError(
                f"prompt {_NAME}/{version} is not the file that was released ({differ}): give a "
                "changed prompt a new version"
            )
        self._templates[version] = self._last_good = template
        return template

    def load_all(self) -> None:
        """Read every template, so that a broken one is known at start. One of the operator's is
        refused and reported; one of Gyre's own is raised.
        """
        for folder in self._folders:
            for path in sorted((folder / _NAME).glob("*.jinja")):
                try:
                    self.load(path.stem)
                except PromptError as error:
                    if folder == _BUILT_IN:
                        raise
                    log.error("prompt refused", extra={"prompt": path.stem, "reason": str(error)})

    def load_or_keep(self, version: str, digest: str | None = None) -> tuple[Template, str]:
        """That template, or the last good one and why; raises when there is none."""
        try:
            return self.load(version, digest), ""
        except PromptError as error:
            last_good = self._last_good
            if last_good is None:
                raise
            log.error("prompt refused", extra={"prompt": version, "reason": str(error)})
            return last_good, f"prompt/{_NAME}: {last_good.version} instead of {version}: {error}"

    def _read(self, version: str) -> Template:
        paths = [folder / _NAME / f"{version}.jinja" for folder in self._folders]
        path = next((path for path in paths if path.is_file()), None)
        if path is None or "/" in version or version.startswith("."):
            raise PromptError(f"there is no prompt {_NAME}/{version}: looked for {paths[-1]}")
        try:
            source = path.read_bytes()
            text = source.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise PromptError(f"{path}: cannot be read: {error}") from error
        template = Template(version, digest_of(source), _compile(path, text))
        template.render(_SAMPLE)
        return template


def _compile(path: Path, text: str) -> jinja2.Template:
    try:
        tree = _ENVIRONMENT.parse(text, filename=str(path))
        compiled = _ENVIRONMENT.from_string(tree)
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(f"{path}:{error.lineno}: {error.message}") from error
    used = meta.find_undeclared_variables(tree)
    for name in sorted(used - _SAMPLE.keys()):
        line = next((n.lineno for n in tree.find_all(nodes.Name) if n.name == name), 1)
        known = ", ".join(sorted(_SAMPLE))
        raise PromptError(f"{path}:{line}: unknown variable {name!r}; there are {known}")
    for name in sorted(_NEEDED - used):
        raise PromptError(f"{path}:1: never uses {name!r}, which an answer cannot do without")
    for block in _BLOCKS:
        if block not in compiled.blocks:
            needs = " and ".join(_BLOCKS)
            raise PromptError(f"{path}:1: has no block {block!r}; needs {needs}")
    compiled.filename = str(path)
    return compiled


def _where(compiled: jinja2.Template, error: Exception) -> str:
    """Name the template's line: Jinja rewrites tracebacks to template lines."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in (compiled.filename, "<template>", "<unknown>"):
            line = compiled.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return f"{compiled.filename}:{line}: {error}"
