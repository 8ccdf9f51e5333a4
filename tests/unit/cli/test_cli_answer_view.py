"""Below an answer: its sources with what is quoted, one line on how to vote; all else by --all."""

import re
from typing import Any

import pytest
from gyre.generator.v1.generator_pb2 import AnswerResponse, Citation, Passage
from gyre_cli.commands.answers import below
from gyre_cli.output import Output, plain, printable, table

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


def lines(
    answer: AnswerResponse, *, everything: bool = False, remembered: bool = True
) -> list[str]:
    styled = "\n".join(below(answer, everything=everything, remembered=remembered))
    return re.sub(r"\x1b\[\d*m", "", styled).split("\n")


def an_answer(*quotes: str) -> AnswerResponse:
    citations = [Citation(chunk_id=TEA, quote=quote) for quote in quotes]
    return AnswerResponse(
        interaction_id=ID, answer="80.", citations=citations, passages=list(PASSAGES)
    )


def test_an_answer_shows_its_sources_the_quoted_lines_and_one_line_on_voting() -> None:
    assert lines(an_answer("80 degrees", "is best", "80 degrees")) == [
        "",
        "[1] Tea > Water  https://example.org/tea",
        "    “80 degrees”",
        "    “is best”",
        "",
        f"vote: gyre vote up|down|1..5   (here; elsewhere gyre vote {ID} …)",
    ]


def test_a_quotation_that_only_the_models_word_speaks_for_says_so() -> None:
    answer = an_answer("80 degrees", "is best", "80 degrees")
    answer.unsupported_citations.extend([1, 2])
    assert lines(answer)[2:4] == [
        "    “80 degrees”",
        "    “is best”  by the model's word alone",
    ]


def test_where_nothing_can_be_remembered_a_vote_needs_the_id() -> None:
    assert lines(an_answer(), remembered=False)[-1] == f"vote: gyre vote {ID} up|down|1..5"


def test_one_blank_line_stands_below_an_answer_without_sources() -> None:
    page = lines(an_answer())
    assert page[0] == ""
    assert page[1].startswith("vote: ")


def test_all_of_it_has_ids_to_vote_on() -> None:
    page = lines(an_answer("80 degrees"), everything=True)
    start = page.index("[1] Tea > Water  https://example.org/tea")
    assert page[start + 1 : start + 3] == ["    “80 degrees”", f"    {TEA}"]
    start = page.index("also found")
    assert page[start + 1] == "  1 coffee.md"
    assert page[start + 2].startswith("    Coffee is roasted. Coffee")
    assert page[start + 2].endswith("…")
    assert page[start + 3] == f"    {COFFEE}"
    assert any(f"gyre vote {ID} up|down --chunk ID" in line for line in page)
    assert page[-1] == f"explain  gyre explain {ID}"


def test_without_a_citation_all_passages_are_just_found() -> None:
    page = lines(an_answer(), everything=True)
    assert "found" in page
    assert f"    {TEA}" in page
    assert f"    {COFFEE}" in page


def test_without_passages_only_the_answer_can_be_voted_on() -> None:
    page = lines(AnswerResponse(interaction_id=ID, answer="No idea."), everything=True)
    assert [line for line in page if line] == [
        f"vote     gyre vote {ID} up|down|1..5",
        f"explain  gyre explain {ID}",
    ]


def test_a_document_cannot_steer_the_terminal() -> None:
    answer = an_answer("80\x1b]0;owned\x07 degrees")
    answer.passages[1].title = "Tea\x1b[2J"
    assert not {"\x1b", "\x07", "\x9b"} & set("".join(lines(answer)))
    assert printable("a\tb\nc\x1b[31m\x9b") == "a\tb\nc[31m"


def test_words_in_a_table_neither_steer_the_terminal_nor_count_as_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = Output(as_json=False)
    rows = table("WHO")
    rows.add_row("[/ann]\x1b[2J:smile:")
    out.result(None, lambda: rows)
    out.note("[red]\x1b[2Jann")
    written = capsys.readouterr()
    assert written.out.split() == ["WHO", "[/ann][2J:smile:"]
    assert written.err == "[red][2Jann\n"


def test_a_message_as_json_has_every_field_numbers_as_numbers_and_null_where_unset() -> None:
    from gyre.telemetry.v1 import telemetry_pb2 as pb
    from gyre.trainer.v1 import trainer_pb2

    story = pb.Interaction(versions={"b": "2", "a": "1"}, latency_ms={"total": 1.5})
    story.retrieved.add(revision=2**40, heading_path=["Tea"])
    story.verdicts.add(metric="tone")
    story.started_at.FromJsonString("2026-01-05T09:00:00Z")
    data: dict[str, Any] = {**plain(story)}
    assert data["versions"] == {"a": "1", "b": "2"}
    assert data["latency_ms"] == {"total": 1.5}
    assert (data["started_at"], data["completed_at"]) == ("2026-01-05T09:00:00Z", None)
    [passage] = data["retrieved"]
    assert (passage["revision"], passage["heading_path"]) == (2**40, ["Tea"])
    [verdict] = data["verdicts"]
    assert verdict["value"] is None
    assert set(data) == {field.name for field in pb.Interaction.DESCRIPTOR.fields}
    run = trainer_pb2.Run(state="running")
    run.report.update({"gain": 0.5})
    assert plain(run)["report"] == {"gain": 0.5}
    assert plain(pb.DeadLetter(value=b"\xff"))["value"] == "\\xff"
