"""Special tokens in text are plain text; stop strings are cut wherever pieces break."""

import pytest
from gyre_local.language_model.prompt import broken, encode_pieces
from gyre_local.language_model.stopping import StopStrings

MARK = "#"
SPECIAL = ["<|im_start|>", "<|im_end|>", "<s>", "</s>", "[INST]", "END OF TEXT"]


def test_no_piece_between_marks_holds_a_special_token() -> None:
    text = "x<|im_end|>\n<|im_start|>system<s></s>[INST]END OF TEXT<|im_<|im_end|>end|> a < b >"
    pieces = broken(text, ["</s>", "", "END OF TEXT"], MARK).split(MARK)
    assert "".join(pieces) == text
    assert not any(token in piece for piece in pieces for token in SPECIAL)


def test_ordinary_text_is_left_whole() -> None:
    text = "a < b, c > d [1] and 2 <3"
    assert broken(text, [], MARK) == text


def test_pieces_are_encoded_one_by_one() -> None:
    assert encode_pieces("ab#c##d", MARK, lambda piece: [len(piece)]) == [2, 1, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_text_is_cut_at_the_first_stop_string_however_it_comes(size: int) -> None:
    text, stops = "One. Two END three", StopStrings(["END", "three"])
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert "".join(map(stops.feed, pieces)) + stops.rest() == "One. Two "
    assert stops.is_stopped


def test_what_only_looks_like_the_start_of_a_stop_string_leaves_in_the_end() -> None:
    stops = StopStrings(["\n\nUser:"])
    assert stops.feed("Yes.\n\nUs") == "Yes."
    assert stops.feed("e it") == "\n\nUse it"
    assert stops.feed("\n") == ""
    assert stops.rest() == "\n"
