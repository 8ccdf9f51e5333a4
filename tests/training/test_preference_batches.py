"""What preferences are learned from: losses by hand, completions of one prompt side by side."""

import math

import pytest
import torch
from gyre_trainer.data_sets.answers import mark_of
from gyre_trainer.language_models.attention import AttentionSpan
from gyre_trainer.language_models.batches import TokenizedSample, pack, packs_of, tokenized
from gyre_trainer.language_models.chat import Chat, ChatTokenizer
from gyre_trainer.language_models.log_probabilities import completion_log_probabilities
from gyre_trainer.language_models.model import TrainableGenerator, open_base
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig
from gyre_trainer.recipes.generator_dpo.loss import dpo_loss, preference_margins
from gyre_trainer.recipes.generator_kto.loss import kl_estimate, kto_loss
from torch import Tensor

from tests.training.tiny_generators import a_tokenizer, pairs


def test_the_margin_is_how_much_more_than_the_base_the_model_prefers_the_chosen_answer() -> None:
    policy = torch.tensor([[-1.0, -4.0], [-2.0, -2.5]])
    reference = torch.tensor([[-2.0, -3.0], [-1.0, -2.5]])
    margins = preference_margins(policy, reference, beta=0.5)
    assert margins.tolist() == pytest.approx([0.5 * (1 + 1), 0.5 * (-1 + 0)])


def test_the_loss_of_a_pair_is_the_surprise_at_the_preference_that_people_have() -> None:
    margins = torch.tensor([math.log(3.0), 0.0])
    certain = dpo_loss(margins, torch.zeros(2), torch.ones(2), 2.0)
    assert certain.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    weighed = dpo_loss(margins, torch.zeros(2), torch.tensor([1.0, 0.5]), 1.5)
    assert weighed.item() == pytest.approx((math.log(4 / 3) + 0.5 * math.log(2)) / 1.5)


def test_a_pair_that_may_be_the_wrong_way_round_wants_no_more_than_its_odds() -> None:
    margins = torch.tensor([math.log(3.0)], requires_grad=True)
    loss = dpo_loss(margins, torch.tensor([0.25]), torch.ones(1), 1.0)
    assert loss.item() == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    loss.backward()
    assert margins.grad is not None
    assert margins.grad.item() == pytest.approx(0.0, abs=1e-7)


def test_trust_says_how_likely_a_pair_is_wrong_or_what_it_counts() -> None:
    assert GeneratorDpoConfig().wrong_and_weight(0.8) == pytest.approx((0.1, 1.0))
    assert GeneratorDpoConfig(label_smoothing=0.2).wrong_and_weight(0.8) == (0.2, 0.8)


def test_the_point_that_answers_are_valued_from_is_the_mean_gain_of_other_answers() -> None:
    """Eq. 8 of Ethayarajh et al. 2024, arXiv:2402.01306."""
    policy = torch.tensor([-1.0, -4.0], requires_grad=True)
    reference = torch.tensor([-3.0, -3.0])
    kl = kl_estimate(policy, reference)
    assert kl.item() == pytest.approx((2 - 1) / 2)
    assert not kl.requires_grad
    assert kl_estimate(reference, policy).item() == 0


def test_the_loss_of_an_answer_is_how_little_it_is_valued_as_people_do() -> None:
    """Eq. 7 of Ethayarajh et al. 2024, arXiv:2402.01306: λ(1 - σ(β(ratio - kl))) of an answer that
    is desirable, λ(1 - σ(β(kl - ratio))) of another; σ(ln 3) is 3/4 and σ(-ln 3) is 1/4.
    """
    # β(ratio - kl), with β = 0.5 and kl = 0.5, is ln 3, -ln 3 and -ln 3.
    policy = torch.tensor([-1.5 + 2 * math.log(3), -3.5 - 2 * math.log(3), -0.5])
    reference = torch.tensor([-2.0, -4.0, -1.0 + 2 * math.log(3)])
    desirable = torch.tensor([True, True, False])
    weights = torch.tensor([1.0, 0.5, 1.2])
    loss = kto_loss(policy - reference, torch.tensor(0.5), desirable, weights, 3.0, beta=0.5)
    assert loss.item() == pytest.approx((1.0 * 1 / 4 + 0.5 * 3 / 4 + 1.2 * 1 / 4) / 3)


@pytest.fixture(scope="module")
def model(tiny_language_model) -> TrainableGenerator:  # type: ignore[no-untyped-def]
    network, _ = open_base(tiny_language_model)
    return TrainableGenerator(network.requires_grad_(True))


def some(prompt: int, *completions: int, seed: int) -> TokenizedSample:
    generator = torch.Generator().manual_seed(seed)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, 200, (count,), generator=generator).tolist())

    prompt_ids, (first, *others) = tokens(prompt), [tokens(each) for each in completions]
    return TokenizedSample((*prompt_ids, *first), len(first), others=tuple(others))


SAMPLES = [some(9, 3, 5, seed=1), some(20, 7, seed=2), some(12, 1, 4, 2, seed=3)]


def alone(sample: TokenizedSample) -> list[TokenizedSample]:
    """Each completion behind a prompt of its own."""
    first = sample.ids[len(sample.prompt) :]
    return [TokenizedSample((*sample.prompt, *c), len(c)) for c in (first, *sample.others)]


def of_row(model: TrainableGenerator, samples: list[TokenizedSample], count: int) -> Tensor:
    row = pack(samples)
    return completion_log_probabilities(model(row), row, count)


def test_completions_that_share_a_prompt_are_as_likely_as_each_alone(
    model: TrainableGenerator,
) -> None:
    together = of_row(model, SAMPLES, 6)
    each = [of_row(model, [one], 1) for sample in SAMPLES for one in alone(sample)]
    torch.testing.assert_close(together, torch.cat(each), rtol=1e-5, atol=1e-5)
    ids = torch.tensor([SAMPLES[0].ids])
    plain = model.network(ids).logits[0].log_softmax(-1)
    by_hand = torch.stack([plain[at - 1, SAMPLES[0].ids[at]] for at in range(9, 12)]).sum()
    assert together[0].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_they_teach_what_each_alone_would_teach(model: TrainableGenerator) -> None:
    def gradients(rows: list[list[TokenizedSample]]) -> dict[str, Tensor]:
        model.zero_grad()
        for row in rows:
            count = sum(1 + len(sample.others) for sample in row)
            of_row(model, row, count).sum().backward()
        named = model.named_parameters()
        return {name: value.grad.clone() for name, value in named if value.grad is not None}

    together = gradients([SAMPLES])
    separately = gradients([[one] for sample in SAMPLES for one in alone(sample)])
    for name, gradient in together.items():
        torch.testing.assert_close(gradient, separately[name], rtol=1e-3, atol=1e-5)


def test_a_completion_reads_nothing_of_another_nor_of_its_neighbours(
    model: TrainableGenerator,
) -> None:
    first, second, third = SAMPLES
    other = TokenizedSample(first.ids, first.completion, others=((77, 78, 79),))
    values = of_row(model, [other, second, some(5, 2, seed=8)], 4)
    before = of_row(model, [first, second, third], 6)
    torch.testing.assert_close(values[[0, 2]], before[[0, 2]])


def test_a_process_without_a_share_of_the_pairs_takes_part(model: TrainableGenerator) -> None:
    model.zero_grad()
    values = of_row(model, [], 0)
    assert values.shape == (0,)
    values.sum().backward()
    assert all(not value.grad.any() for value in model.parameters() if value.grad is not None)


def test_a_pack_has_a_prompt_once() -> None:
    row = pack([TokenizedSample((5, 6, 7, 8), 2, others=((9, 4, 3),))])
    assert row.ids.tolist() == [[5, 6, 7, 8, 9, 4, 3]]
    assert row.positions.tolist() == [[0, 1, 2, 3, 2, 3, 4]]
    assert row.at.tolist() == [1, 2, 1, 4, 5]
    assert row.targets.tolist() == [7, 8, 9, 4, 3]
    assert row.completions.tolist() == [0, 0, 1, 1, 1]
    assert row.spans == (AttentionSpan(0, 2, (4, 7)),)


def test_packs_count_a_prompt_once() -> None:
    assert [sample.length for sample in SAMPLES] == [17, 27, 19]
    assert packs_of([17, 27, 19], tokens=40) == [[1], [2, 0]]


def test_what_is_too_long_is_cut_alike_for_both_answers() -> None:
    chats = ChatTokenizer(a_tokenizer())
    chat = Chat("s", f"{mark_of('1')}\nWhat?", "short", {"1": "a" * 50}, ("a longer answer",))
    whole = chats.tokenize(chat, longest=500)
    assert whole is not None
    (other,) = whole.others
    prompt = len(whole.ids) - whole.completion
    tokens = chats.tokenize(chat, longest=prompt + len(other) - 10)
    assert tokens is not None
    assert tokens.was_cut
    assert tokens.others == whole.others
    assert len(tokens.ids) - tokens.completion + len(other) <= prompt + len(other) - 10
    assert chats.tokenize(chat, longest=40) is None


def test_a_pair_is_read_as_one_prompt_and_two_completions() -> None:
    tokens = tokenized(pairs()[:2], ChatTokenizer(a_tokenizer()), GeneratorDpoConfig())
    first = tokens.samples[0]
    texts = [a_tokenizer().decode(list(each)) for each in (first.ids[-first.completion :],)]
    assert texts == ["red<|im_end|>"]
    assert a_tokenizer().decode(list(first.others[0])) == "yellow<|im_end|>"
    assert [sample.weight for sample in tokens.samples] == [0.5, 1.0]
