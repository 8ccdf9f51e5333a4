"""Names, keys and reasons are one line of printable text."""

import pytest
from gyre_common.errors import InvalidInput
from gyre_common.lines import check_line


def test_a_line_of_any_script_is_taken() -> None:
    check_line("actor", "Jürgen 緑茶", most=9)


@pytest.mark.parametrize("text", ["two\nlines", "bell\x07", "c1\x85", "para\u2029", "half \ud800"])
def test_what_would_break_a_line_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as excinfo:
        check_line("actor", text, most=20)
    assert excinfo.value.field == "actor"


def test_a_line_that_is_too_long_says_how_long_it_may_be() -> None:
    with pytest.raises(InvalidInput, match="has 4 characters: send at most 3"):
        check_line("reason", "abcd", most=3)
