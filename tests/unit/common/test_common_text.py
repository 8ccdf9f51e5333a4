"""Sentences know where they stand, and words of one meaning become one term."""

from gyre_common.text import Kind, content_terms, numbers, sentences, terms
from hypothesis import given
from hypothesis import strategies as st

MARKDOWN = """# Tea
Dr. Li went to Kunming,
Yunnan on Jan. 5th. He said: "Hi!" Then v1.31.2 came, e.g. for pods.

- first item
  goes on
- second. Two sentences.
```yaml
a: b. c

d: e
```
| a | b |
|---|---|
| c. d | e |
| f | g |
End
"""


def test_markdown_is_cut_where_a_reader_would() -> None:
    assert [(s.kind, s.text) for s in sentences(MARKDOWN)] == [
        (Kind.HEADING, "# Tea"),
        (Kind.PROSE, "Dr. Li went to Kunming,\nYunnan on Jan. 5th."),
        (Kind.PROSE, 'He said: "Hi!"'),
        (Kind.PROSE, "Then v1.31.2 came, e.g. for pods."),
        (Kind.ITEM, "first item\n  goes on"),
        (Kind.ITEM, "second."),
        (Kind.ITEM, "Two sentences."),
        (Kind.CODE, "```yaml\na: b. c\n\nd: e\n```"),
        (Kind.HEADING, "| a | b |"),
        (Kind.TABLE, "| c. d | e |"),
        (Kind.TABLE, "| f | g |"),
        (Kind.PROSE, "End"),
    ]


def test_a_shortened_word_ends_no_sentence() -> None:
    text = (
        "Heat it to approx. 180 degrees. Bake for min. 40 minutes and max. 50 minutes. The oven, "
        "incl. tray, weighs est. 12 kg. No. 7, see Fig. (3), is vol. 2 of temp. tables. He said "
        "no. Then he left at 5 p.m. on Monday."
    )
    assert [each.text for each in sentences(text)] == [
        "Heat it to approx. 180 degrees.",
        "Bake for min. 40 minutes and max. 50 minutes.",
        "The oven, incl. tray, weighs est. 12 kg.",
        "No. 7, see Fig. (3), is vol. 2 of temp. tables.",
        "He said no.",
        "Then he left at 5 p.m. on Monday.",
    ]


@given(st.text() | st.text(alphabet="ab.?! \n`~#|-*1😀\ud800\u2028", max_size=200))
def test_every_sentence_is_where_it_says(text: str) -> None:
    end = 0
    for sentence in sentences(text):
        assert text[sentence.start : sentence.end] == sentence.text != ""
        assert sentence.start >= end
        end = sentence.end


@given(st.text(alphabet="ab.?! \n`~#|-*1é中", max_size=200))
def test_nothing_that_says_something_is_lost(text: str) -> None:
    joined = "".join(s.text for s in sentences(text))

    assert sum(map(str.isalpha, joined)) == sum(map(str.isalpha, text))


def test_forms_of_a_word_are_one_term() -> None:
    assert terms("The Pods' CONTAINERS aren’t running; ran v1.31 at 09:30 中国 two 1,024") == [
        "the", "pod", "contain", "aren't", "run", "ran", "v1", "31", "at", "09:30", "中", "国",
        "2", "1024",
    ]  # fmt: skip


def test_function_words_carry_no_meaning() -> None:
    assert content_terms("What is the kube-apiserver's default port?") == [
        "kube", "apiserv", "default", "port",
    ]  # fmt: skip


def test_numbers_are_read_in_digits_and_words() -> None:
    assert numbers("Two of 1,024 at 3.5 (see ten)") == {"2", "1024", "3.5", "10"}
