"""A gate's report: with the candidate's card, in the run's folder and in the store."""

from gyre_common.store import ContentRef, Store
from pydantic import BaseModel

from gyre_trainer.language_models.inputs import LanguageModelRunFiles
from gyre_trainer.language_models.report import MARK
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.settings import TrainerSettings


async def keep_report(
    folder: RunFolder, report: BaseModel, markdown: str, settings: TrainerSettings
) -> ContentRef:
    """Where the report lies; its `card` names the model card, now complete: the artifact's own copy
    was written before. Raises Retryable: the store is away.
    """
    files, store = LanguageModelRunFiles(folder), Store(settings.store_url)
    card = (folder.candidate / "README.md").read_text(encoding="utf-8").replace(MARK, markdown)
    files.card.write_text(card, encoding="utf-8")
    stored = await retry_while_away(lambda: store.put(card.encode()), seconds=STORE_SECONDS)
    write_json(files.report, report.model_copy(update={"card": stored.uri}))
    content = files.report.read_bytes()
    return await retry_while_away(lambda: store.put(content), seconds=STORE_SECONDS)
