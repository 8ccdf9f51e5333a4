"""Cuts texts of many lengths into batches that waste little on padding."""

from collections.abc import Iterator, Sequence


def micro_batches(lengths: Sequence[int], *, token_budget: int) -> Iterator[list[int]]:
    """Positions of `lengths`, shortest texts first, in batches of at most `token_budget` tokens.

    A batch's cost is its longest text times its size. A text longer than the budget stands alone.
    """
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[position] * (len(batch) + 1) > token_budget:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch
