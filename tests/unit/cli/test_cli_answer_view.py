"""What `gyre ask` prints below an answer is enough to vote on the answer and on each passage."""

from gyre.generator.v1.generator_pb2 import AnswerResponse, Citation, Passage
from gyre_cli.answer_view import below
from rich.console import Console

ID, TEA, COFFEE = "0199-interaction", "chunk-tea", "chunk-coffee"
PASSAGES = (
    Passage(
        chunk_id=COFFEE,
        document_id="coffee.md",
        text="Coffee  is\nroasted. " * 20,
        rank=1,
        explored=True,
    ),
    Passage(
        chunk_id=TEA,
        document_id="tea.md",
        title="Tea",
        heading_path=["Water"],
        text="80 degrees is best.",
        source_uri="https://example.org/tea",
        rank=2,
    ),
)


def printed(answer: AnswerResponse) -> list[str]:
    console = Console(width=200, force_terminal=False)
    with console.capture() as captured:
        console.print(below(answer))
    return [line.rstrip() for line in captured.get().splitlines()]


def an_answer(*quotes: str) -> AnswerResponse:
    citations = [Citation(chunk_id=TEA, quote=quote) for quote in quotes]
    return AnswerResponse(
        interaction_id=ID, answer="80.", citations=citations, passages=list(PASSAGES)
    )


def test_a_source_shows_where_it_is_from_what_is_quoted_and_its_id() -> None:
    lines = printed(an_answer("80 degrees", "is best", "80 degrees"))
    start = lines.index("[1] Tea > Water  https://example.org/tea")
    assert lines[start + 1 : start + 4] == ["    “80 degrees”", "    “is best”", f"    {TEA}"]


def test_what_was_found_besides_can_be_voted_on_too() -> None:
    lines = printed(an_answer("80 degrees"))
    start = lines.index("also found")
    assert lines[start + 1] == "  1 coffee.md"
    assert lines[start + 2].startswith("    Coffee is roasted. Coffee")
    assert lines[start + 2].endswith("…")
    assert lines[start + 3] == f"    {COFFEE}"
    assert any(f"gyre vote {ID} up|down --chunk ID" in line for line in lines)


def test_without_a_citation_all_passages_are_just_found() -> None:
    lines = printed(an_answer())
    assert "found" in lines
    assert f"    {TEA}" in lines
    assert f"    {COFFEE}" in lines


def test_without_passages_only_the_answer_can_be_voted_on() -> None:
    lines = printed(AnswerResponse(interaction_id=ID, answer="No idea."))
    assert [line for line in lines if line] == [
        f"vote     gyre vote {ID} up|down|1..5",
        f"explain  gyre explain {ID}",
    ]
