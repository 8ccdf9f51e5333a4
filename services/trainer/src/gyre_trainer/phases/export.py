"""Phase `export`: the better variant becomes a model folder, and the folder lies in the store."""

from gyre_common.model_folders import keep_model
from gyre_common.store import Store

from gyre_trainer.runs.folder import Candidate, RunFolder, write_json
from gyre_trainer.runs.patience import STORE_SECONDS, patiently
from gyre_trainer.settings import TrainerSettings


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """Write `candidate/` and then `candidate.json`.

    Raises:
        FailedPrecondition: no variant can be exported.
        Retryable: the store is full, read-only or out of reach.
    """
    # Here, because it brings torch along, which no other phase needs.
    from gyre_trainer.recipes.query_encoder.export import export as export_query_encoder

    folder.progress("export", message="choosing a variant and writing its model")
    made = export_query_encoder(folder)
    folder.progress("export", message="putting the model into the store")
    store = Store(settings.store_url)
    kept = await patiently(lambda: keep_model(store, folder.candidate), seconds=STORE_SECONDS)
    write_json(
        folder.candidate_file,
        Candidate(
            version=folder.spec().version,
            digest=kept.digest,
            uri=kept.uri,
            variant=made.variant,
            share=made.share,
            metrics=dict(made.metrics),
        ),
    )
