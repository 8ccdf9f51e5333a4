"""A broken template is named by file and line, and never replaces a good one."""

from pathlib import Path

import pytest
from gyre_common.releases.builtin import ANSWER_PROMPTS
from gyre_generator.prompts import PromptError, Prompts

GOOD = (
    "{% block system %}Be kind.{% endblock %}\n"
    "{% block user %}{{ question }} {{ passages }}{% endblock %}"
)


def write(folder: Path, version: str, text: str | bytes) -> Path:
    path = folder / "answer" / f"{version}.jinja"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_prompt_of_before_stays_as_it_was_released() -> None:
    template = Prompts().load("answer-1", ANSWER_PROMPTS["answer-1"])

    prompt = template.render(
        {
            "question": "What is tea?",
            "passages": [{"number": 1, "heading": "Tea", "text": "A {{ drink }}."}],
            "history": [{"role": "user", "content": "Hello"}],
        }
    )
    assert "[1] Tea\nA {{ drink }}." in prompt.user
    assert prompt.user.endswith("Question: What is tea?")
    assert "NOT_IN_THE_PASSAGES" in prompt.system


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{% block system %}\n{% if %}{% endblock %}", "answer-7.jinja:2"),
        (GOOD + "\n\n{{ secret }}", "answer-7.jinja:4: unknown variable 'secret'"),
        ("{% block system %}{% endblock %}{{ question }}{{ passages }}", "has no block 'user'"),
        (
            "{% block system %}x{% endblock %}{% block user %}{{ question }}{% endblock %}",
            "passages",
        ),
        (GOOD.replace("{{ question }}", "\n{{ question.__class__.__mro__ }}"), "answer-7.jinja:3"),
        (GOOD.replace("{{ question }}", "\n\n{{ question.nope }}"), "answer-7.jinja:4"),
        (GOOD.replace("{{ question }}", "{{ question }}{{ 1 / 0 }}"), "answer-7.jinja:2"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_broken_template_is_refused_by_file_and_line(
    tmp_path: Path, text: str | bytes, complaint: str
) -> None:
    write(tmp_path, "answer-7", text)

    with pytest.raises(PromptError) as refused:
        Prompts(tmp_path).load("answer-7")

    assert complaint in str(refused.value)


def test_the_last_good_template_stays_in_use(tmp_path: Path) -> None:
    write(tmp_path, "answer-7", "{% block")
    prompts = Prompts(tmp_path)
    prompts.load("answer-1")

    template, note = prompts.load_or_keep("answer-7")

    assert template.version == "answer-1"
    assert "answer-1 instead of answer-7" in note
    assert "answer-7.jinja:1" in note


def test_without_a_good_template_there_is_no_prompt(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="answer-9"):
        Prompts(tmp_path).load_or_keep("answer-9")


def test_a_file_that_changed_after_its_release_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "answer-7", GOOD)

    with pytest.raises(PromptError, match="give a changed prompt a new version"):
        Prompts(tmp_path).load("answer-7", "sha256:" + "0" * 64)


def test_a_broken_file_of_the_operator_does_not_stop_the_start(tmp_path: Path) -> None:
    write(tmp_path, "answer-7", "{% block")

    prompts = Prompts(tmp_path)
    prompts.load_all()

    assert prompts.load("answer-1").version == "answer-1"


@pytest.mark.parametrize("version", ["../answer-1", "..", "a/b"])
def test_a_version_cannot_name_a_file_elsewhere(tmp_path: Path, version: str) -> None:
    with pytest.raises(PromptError, match="there is no prompt"):
        Prompts(tmp_path).load(version)
