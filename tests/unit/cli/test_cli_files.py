"""Which files become documents, and what they are called."""

import asyncio
import os
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from gyre_cli.command import Cli
from gyre_cli.commands.submit import _drafts, _Named, _send
from gyre_cli.document_files import collect
from gyre_cli.output import Output
from gyre_cli.settings import settings_for
from gyre_client.errors import FailedPrecondition, InvalidInput, NotFound, Unavailable
from gyre_client.submission import Draft, Fate, Progress

FORMATS = {".md": "text/markdown", ".txt": "text/plain", ".pdf": "application/pdf"}


def content_of(draft: Draft) -> bytes:
    assert draft.open is not None
    with draft.open() as file:
        return file.read()


class Skipped:
    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def __call__(self, path: Path, reason: str) -> None:
        self.reasons[path.name] = reason


@pytest.fixture
def skipped() -> Skipped:
    return Skipped()


def test_a_file_in_a_folder_is_called_by_the_folder_and_its_path_within(
    tmp_path: Path, skipped: Skipped
) -> None:
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "b.md").write_text("b")
    (tmp_path / "docs" / "deep" / "a.txt").write_text("a")
    assert list(collect([tmp_path / "docs"], skipped, FORMATS)) == ["docs/b.md", "docs/deep/a.txt"]


def test_a_draft_has_the_media_type_of_its_ending_and_where_its_original_is(
    tmp_path: Path,
) -> None:
    for name in ("a.md", "b.txt", "README"):
        (tmp_path / name).write_text("words")
    cli = Cli(settings_for(home=tmp_path), Output(as_json=False))
    drafts = _drafts(
        cli, [str(tmp_path)], _Named(acl=("staff",), source_uri="https://example.org/"), FORMATS
    )
    kinds = {draft.document_id.partition("/")[2]: draft.media_type for draft in drafts}
    assert kinds == {"README": "", "a.md": "text/markdown", "b.txt": "text/plain"}
    assert drafts[1].source_uri == f"https://example.org/{tmp_path.name}/a.md"
    assert drafts[1].acl == ("staff",)
    assert content_of(drafts[1]) == b"words"


def test_a_folder_has_the_same_name_from_wherever_it_is_submitted(
    tmp_path: Path, skipped: Skipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("a")
    outside = list(collect([tmp_path / "docs"], skipped, FORMATS))
    monkeypatch.chdir(tmp_path / "docs")
    assert list(collect([Path()], skipped, FORMATS)) == outside == ["docs/a.md"]


def test_hidden_and_binary_files_are_passed_over_with_a_word(
    tmp_path: Path, skipped: Skipped
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "photo").write_bytes(b"\x89PNG\0")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "tea.PDF").write_bytes(b"%PDF-\0")
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    assert list(collect([tmp_path], skipped, FORMATS)) == [
        f"{tmp_path.name}/{name}" for name in ("latin.txt", "tea.PDF")
    ]
    assert skipped.reasons == {
        ".git": "hidden",
        ".hidden": "hidden",
        "photo": "binary",
        "photo.png": "not a document by its ending (name the file itself to send it)",
    }


def test_only_what_is_included_is_taken_from_a_folder(tmp_path: Path, skipped: Skipped) -> None:
    for name in ("a.md", "b.txt", "c.pdf"):
        (tmp_path / name).write_text("words")
    taken = collect(
        [tmp_path, tmp_path / "b.txt"], skipped, FORMATS, _Named(include=("*.md", "c*")).takes
    )
    assert [path.name for path in taken.values()] == ["a.md", "c.pdf", "b.txt"]
    assert not skipped.reasons


def test_a_file_that_is_named_by_itself_is_never_passed_over(
    tmp_path: Path, skipped: Skipped
) -> None:
    for name in (".notes.md", "photo"):
        (tmp_path / name).write_bytes(b"\0")
    files = collect([tmp_path / ".notes.md", tmp_path / "photo"], skipped, FORMATS)
    assert (list(files), skipped.reasons) == ([".notes.md", "photo"], {})


def test_a_file_below_here_keeps_its_path(
    tmp_path: Path, skipped: Skipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("a")
    monkeypatch.chdir(tmp_path)
    assert list(collect([Path("docs/a.md"), Path("docs")], skipped, FORMATS)) == ["docs/a.md"]


def test_two_files_of_one_name_are_refused(tmp_path: Path, skipped: Skipped) -> None:
    for parent in ("one", "two"):
        (tmp_path / parent / "docs").mkdir(parents=True)
        (tmp_path / parent / "docs" / "a.md").write_text(parent)
    with pytest.raises(InvalidInput, match=r"the same name docs/a\.md"):
        collect([tmp_path / "one" / "docs", tmp_path / "two" / "docs"], skipped, FORMATS)


def test_a_path_that_is_not_there_is_named(tmp_path: Path, skipped: Skipped) -> None:
    with pytest.raises(NotFound, match=r"no .*/nowhere"):
        collect([tmp_path / "nowhere"], skipped, FORMATS)


def test_a_circle_of_links_ends(tmp_path: Path, skipped: Skipped) -> None:
    (tmp_path / "a.md").write_text("a")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    assert list(collect([tmp_path], skipped, FORMATS)) == [f"{tmp_path.name}/a.md"]


def test_files_in_a_folder_that_are_no_documents_are_passed_over(
    tmp_path: Path, skipped: Skipped
) -> None:
    (tmp_path / "schema.json").write_text("{}")
    (tmp_path / "README").write_text("read me")
    assert list(collect([tmp_path], skipped, FORMATS)) == [f"{tmp_path.name}/README"]
    assert skipped.reasons["schema.json"].startswith("not a document by its ending")
    assert len(collect([tmp_path / "schema.json"], skipped, FORMATS)) == 1


def test_what_is_not_a_file_is_refused_instead_of_waited_for(
    tmp_path: Path, skipped: Skipped
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(FailedPrecondition, match=f"{path} is not a file"):
            collect([path], skipped, FORMATS)


def test_a_name_that_is_not_utf_8_is_passed_over_in_a_folder(
    tmp_path: Path, skipped: Skipped, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "caf\udce9.md").write_text("a")
    (tmp_path / "tea.md").write_text("b")
    assert list(collect([tmp_path], skipped, FORMATS)) == [f"{tmp_path.name}/tea.md"]
    assert list(skipped.reasons.values()) == ["its name is not UTF-8"]
    cli = Cli(settings_for(home=tmp_path), Output(as_json=False))
    assert len(_drafts(cli, [str(tmp_path)], _Named(), FORMATS)) == 1
    assert r"caf\xe9.md: its name is not UTF-8" in capsys.readouterr().err


def test_a_name_that_is_not_utf_8_needs_another_one(tmp_path: Path) -> None:
    file = tmp_path / "caf\udce9.md"
    file.write_text("a")
    cli = Cli(settings_for(home=tmp_path), Output(as_json=False))
    with pytest.raises(InvalidInput, match=r"caf\\xe9.md, which is not UTF-8: .*--id"):
        _drafts(cli, [str(file)], _Named(), FORMATS)
    [draft] = _drafts(cli, [str(file)], _Named("coffee.md"), FORMATS)
    assert content_of(draft) == b"a"


def test_standard_input_can_be_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"words")))
    cli = Cli(settings_for(home=tmp_path), Output(as_json=False))
    [draft] = _drafts(cli, ["-"], _Named("tea.md"), FORMATS)
    assert [content_of(draft), content_of(draft)] == [b"words", b"words"]


def test_what_was_rejected_is_named_though_the_rest_does_not_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stalled:
        @property
        def documents(self) -> "Stalled":
            return self

        def with_caller(self, **_: object) -> "Stalled":
            return self

        async def submit_all(self, _: object, progress: Progress, *, wait: bool) -> None:
            progress.finish(Fate("huge.pdf", "rejected", "too_large", "is too large"))
            raise Unavailable("nothing has moved")

    monkeypatch.setattr(Cli, "run", lambda _, work: asyncio.run(work(Stalled())))
    cli = Cli(settings_for(home=tmp_path), Output(as_json=False))
    with pytest.raises(Unavailable):
        _send(cli, [], (), wait=True)
    assert "rejected huge.pdf: too_large: is too large" in capsys.readouterr().err
