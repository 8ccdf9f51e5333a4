"""`gyre questions`: three questions that the project's own documents answer."""

from rich.text import Text

from gyre_cli.command import Cli, command

QUESTIONS = (
    "What happens to a record that can never be handled?",
    "How do I point a service at engines that run elsewhere?",
    "Who writes releases, and how is a bad version rolled back?",
)


@command
def questions(cli: Cli) -> None:
    """Suggest three questions to start with."""
    lines = "\n".join(f'  gyre ask "{question}"' for question in QUESTIONS)
    cli.out.result(list(QUESTIONS), lambda: Text(f"Three questions to try:\n{lines}"))
