"""The examples of the client's README run."""

import re
from pathlib import Path

import pytest
from gyre_client import Addresses

from tests.unit.client.fake_system import FakeSystem, served_beside

README = Path(__file__).resolve().parents[3] / "libs/client/README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
PRINTED = (
    "80 degrees.\nTea 80 degrees is best\n{'generator': 'extractive-1'} {}\n",
    "80 degrees.",
    "tea.md indexed  \n",
    "question is empty ask something\n",
)


def test_there_are_as_many_examples_as_are_run() -> None:
    assert len(EXAMPLES) == len(PRINTED)


@pytest.mark.parametrize(("example", "printed"), list(zip(EXAMPLES, PRINTED, strict=False)))
def test_an_example_does_what_it_says(
    example: str,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with served_beside(FakeSystem()) as addresses:
        where = tuple(vars(addresses).values())
        monkeypatch.setattr(Addresses.__init__, "__defaults__", where)
        exec(compile(example, str(README), "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == printed
