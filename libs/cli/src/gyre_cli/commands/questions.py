"""`gyre questions`: three questions that the project's own documents answer."""

from rich.text import Text

from gyre_cli.command import Cli, command

QUESTIONS = (
    "When does an answer count as given?",
    "Why does only the release controller write releases?",
    "Which user can analysts use?",
)


@command
def questions(cli: Cli) -> None:
    """Suggest three questions to start with."""
    lines = "\n".join(f'  gyre ask "{question}"' for question in QUESTIONS)
    cli.out.result(list(QUESTIONS), lambda: Text(f"Three questions to try:\n{lines}"))
