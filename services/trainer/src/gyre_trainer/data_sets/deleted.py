"""Takes votes on documents that are gone out of a run's copy of a data set."""

from collections.abc import Collection, Iterable

from gyre_trainer.data_sets.rows import DataSetRow, ShownRow


def without_deleted(rows: Iterable[DataSetRow], chunk_ids: Collection[str]) -> list[DataSetRow]:
    """The rows as far as their passages are still in the corpus.

    A passage that is gone has no label any more (`why` is `deleted`). A question goes with the
    last passage liked for it, and one that liked nothing with its last label.
    """
    remaining: list[DataSetRow] = []
    for row in rows:
        shown = [_clear_deleted_label(one, chunk_ids) for one in row["shown"]]
        if _is_useful(row["shown"], shown):
            remaining.append({**row, "shown": shown})
    return remaining


def _clear_deleted_label(shown: ShownRow, chunk_ids: Collection[str]) -> ShownRow:
    if shown["chunk_id"] in chunk_ids:
        return shown
    return {**shown, "label": None, "why": "deleted", "actors": 0}


def _is_useful(before: Iterable[ShownRow], after: Iterable[ShownRow]) -> bool:
    liked_before, liked = _liked(before), _liked(after)
    return liked if liked_before else any(one["label"] is not None for one in after)


def _liked(shown: Iterable[ShownRow]) -> bool:
    return any((one["label"] or 0) > 0 for one in shown)
