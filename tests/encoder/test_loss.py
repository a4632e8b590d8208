"""The loss against numbers computed by hand, transformers' own loss, and finite differences."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from toy_model import (
    VOCABULARY,
    pretrain_params,
    summed_loss,
    toy_packing,
    toy_start,
    toy_tokens,
)

from pipeline.encoder import loss as losses
from pipeline.encoder.batches import Packing
from pipeline.encoder.loss import heldout_batches, heldout_loss
from pipeline.encoder.masking import UNUSED, MaskedBatch, mask_tokens
from pipeline.encoder.tokens import Tokens
from pipeline.errors import InputError


def _batch(rate: float = 0.3) -> MaskedBatch:
    """Four rows, of which the last is padded and has slots that are not used."""
    packing = toy_packing()
    rows = packing.rows(np.arange(packing.sequences - 4, packing.sequences))
    return mask_tokens(rows, VOCABULARY, rate, [1])


def test_two_guesses_computed_by_hand() -> None:
    """A model of which only the output's bias is left: p(token i) = (i + 1) / 1275, everywhere.

    Labels 2 and 9 cost -ln(3 / 1275) - ln(10 / 1275); the third slot asks nothing.
    """
    model = toy_start(pretrain_params()).model
    with torch.no_grad():
        model.cls.predictions.transform.LayerNorm.weight.zero_()
        model.cls.predictions.transform.LayerNorm.bias.zero_()
        model.get_output_embeddings().bias.copy_(torch.arange(1.0, 51.0).log())
    ids, ones = np.array([[2, 4, 4, 7, 3]]), np.ones((1, 5), np.int64)
    batch = MaskedBatch(ids, ones, np.array([[1, 2, 3]]), np.array([[2, 9, UNUSED]]))
    assert batch.guesses == 2
    by_hand = -math.log(3 / 1275) - math.log(10 / 1275)
    assert summed_loss(model, batch).item() == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_loss_and_gradients_are_those_of_transformers_from_full_logits(architecture: str) -> None:
    packed = _batch()
    batch = replace(packed, segments=np.minimum(packed.segments, 1))  # a row is one document
    labels = np.full(batch.ids.shape, UNUSED)
    np.put_along_axis(labels, batch.positions, batch.labels, 1)

    def gradients(loss: torch.Tensor, model: Any) -> list[torch.Tensor]:
        loss.backward()
        return [weights.grad.clone() for weights in model.parameters() if weights.grad is not None]

    params = pretrain_params(architecture=architecture, dropout=0.0)
    ours, theirs = toy_start(params).model, toy_start(params).model
    own = summed_loss(ours, batch) / batch.guesses
    reference = theirs(
        input_ids=torch.from_numpy(batch.ids),
        attention_mask=torch.from_numpy(batch.segments),
        labels=torch.from_numpy(labels),
    ).loss
    torch.testing.assert_close(own, reference)
    pairs = zip(gradients(own, ours), gradients(reference, theirs), strict=True)
    for own_gradient, reference_gradient in pairs:
        torch.testing.assert_close(own_gradient, reference_gradient, rtol=1e-4, atol=1e-6)


def test_gradient_is_the_slope_of_the_loss_in_float64() -> None:
    """Central differences along random directions, for each parameter of a toy BERT."""
    model = toy_start(pretrain_params(dropout=0.0)).model.double()
    batch, step = _batch(), 1e-5
    generator = torch.Generator().manual_seed(0)

    def loss() -> torch.Tensor:
        logits = losses.models.masked_logits(
            model, *map(torch.from_numpy, (batch.ids, batch.segments, batch.positions))
        )
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), torch.from_numpy(batch.labels).flatten(), ignore_index=UNUSED
        )

    loss().backward()
    with torch.no_grad():
        for weights in model.parameters():
            direction = torch.randn(weights.shape, generator=generator, dtype=torch.float64)
            weights.add_(direction, alpha=step)
            above = loss()
            weights.add_(direction, alpha=-2 * step)
            slope = (above - loss()) / (2 * step)
            weights.add_(direction, alpha=step)
            assert slope.item() == pytest.approx(
                (weights.grad * direction).sum().item(), rel=1e-6, abs=1e-7
            )


def test_slots_that_are_not_used_and_padding_have_no_gradient() -> None:
    batch = _batch()
    assert (batch.labels == UNUSED).any()
    model = toy_start(pretrain_params(dropout=0.0)).model
    twice = MaskedBatch(*(np.concatenate([a, a[-1:]]) for a in vars(batch).values()))
    unused = MaskedBatch(
        twice.ids,
        twice.segments,
        twice.positions,
        np.concatenate([batch.labels, np.full_like(batch.labels[-1:], UNUSED)]),
    )
    assert summed_loss(model, unused).item() == pytest.approx(
        summed_loss(model, batch).item(), rel=1e-6
    )


def test_heldout_masks_are_15_percent_and_the_same_in_every_call() -> None:
    packing = toy_packing(seq_len_tokens=64, documents=400)
    one, two = (heldout_batches(packing, 40) for _ in "ab")
    assert sum(len(batch.ids) for batch in one) == 40
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
    ordinary = ~np.isin(packing.rows(np.arange(40)).ids, VOCABULARY.special_ids)
    share = sum(batch.guesses for batch in one) / ordinary.sum()
    assert share == pytest.approx(0.15, abs=0.005)  # rounding of each row's count


def test_heldout_text_of_unknown_tokens_alone_is_refused() -> None:
    unknown = Tokens(np.ones(30, np.uint16), np.array([0, 30]))
    with pytest.raises(InputError, match="the tokenizer knows no token of the first 2 held-out"):
        heldout_batches(Packing(unknown, VOCABULARY, 16), 4)


def test_heldout_loss_is_the_mean_over_all_guesses_without_dropout() -> None:
    model = toy_start(pretrain_params(dropout=0.5)).model.train()
    batches = heldout_batches(toy_packing(), 40)
    assert len(batches) == 2
    one, two = (heldout_loss(model, batches, "float32") for _ in "ab")
    assert one == two
    assert model.training
    model.eval()
    sums = [summed_loss(model, batch).item() for batch in batches]
    assert one == pytest.approx(sum(sums) / sum(batch.guesses for batch in batches))


def test_an_untrained_model_is_near_the_log_of_the_vocabulary() -> None:
    model = toy_start(pretrain_params()).model
    loss = heldout_loss(model, heldout_batches(toy_packing(), 40), "float32")
    assert loss == pytest.approx(math.log(50), abs=0.1)


def test_shares_of_three_tokens_by_hand() -> None:
    tokens = Tokens(np.array([5, 5, 7], np.uint16), np.array([0, 3]))
    np.testing.assert_allclose(losses.token_shares(tokens, 8), np.array([1] * 5 + [3, 1, 2]) / 11)


def test_no_guess_by_shares_beats_the_corpus_own_shares() -> None:
    """Gibbs' inequality: the cross-entropy of labels is least at their own shares."""
    batches = heldout_batches(toy_packing(), 40)
    labels = np.concatenate([b.labels[b.labels != UNUSED] for b in batches])
    own = np.bincount(labels, minlength=50) / len(labels)
    entropy = -(own[own > 0] * np.log(own[own > 0])).sum()
    by_corpus = losses.unigram_loss(losses.token_shares(toy_tokens(), 50), batches)
    assert losses.unigram_loss(own + 1e-300, batches) == pytest.approx(entropy)
    assert entropy < by_corpus < math.log(50) + 0.1
