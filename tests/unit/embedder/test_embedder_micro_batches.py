from gyre_embedder.onnx_encoder import micro_batches
from hypothesis import given
from hypothesis import strategies as st

LENGTHS = st.lists(st.integers(1, 256), max_size=60)


@given(LENGTHS, st.integers(1, 2048))
def test_every_text_is_in_exactly_one_batch(lengths: list[int], budget: int) -> None:
    batches = list(micro_batches(lengths, token_budget=budget))
    assert sorted(position for batch in batches for position in batch) == [*range(len(lengths))]


@given(LENGTHS, st.integers(1, 2048))
def test_a_batch_keeps_to_the_budget_unless_one_text_passes_it(
    lengths: list[int], budget: int
) -> None:
    for batch in micro_batches(lengths, token_budget=budget):
        assert len(batch) == 1 or max(lengths[each] for each in batch) * len(batch) <= budget


def test_texts_of_like_length_stand_together() -> None:
    assert list(micro_batches([100, 2, 101, 3], token_budget=250)) == [[1, 3], [0, 2]]
