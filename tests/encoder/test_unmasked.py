"""Against one sentence and one token at a time, from the model's own logits and attention."""

from typing import Any

import numpy as np
import pytest
import torch
from test_scoring import bert, modern_bert, tokenizer

from pipeline.encoder import unmasked

TEXTS = ["The old man sat on the mat.", "A woman slept longer and longer.", "man", "A man slept."]


def one_at_a_time(model: Any, tokens: Any, text: str) -> tuple[float, float]:
    """The definition: means over tokens of log P, and of that times the attention received."""
    ids = tokens(text)["input_ids"]
    model.eval().set_attn_implementation("eager")
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True)
    log_probability, weighted = [], []
    for place in range(1, len(ids) - 1):
        probabilities = out.logits[0, place].double().exp()
        own = float((probabilities[ids[place]] / probabilities.sum()).log())
        received = [
            float(layer[0, head, query, place])
            for layer in out.attentions
            for head in range(layer.shape[1])
            for query in range(len(ids))
        ]
        log_probability.append(own)
        weighted.append(own * sum(received) / len(received))
    return float(np.mean(log_probability)), float(np.mean(weighted))


@pytest.mark.parametrize("make", [bert, modern_bert])
def test_batches_give_what_one_token_at_a_time_gives(make: Any) -> None:
    found = unmasked.score_sentences(make(), tokenizer(), TEXTS)
    known = [one_at_a_time(make(), tokenizer(), text) for text in TEXTS]
    np.testing.assert_allclose(found, known, rtol=1e-5)
    assert len({tuple(row) for row in np.round(found, 3)}) == len(TEXTS)


def test_a_text_does_not_see_the_others_of_its_batch() -> None:
    model, tokens = bert(), tokenizer()
    alone = [unmasked.score_sentences(model, tokens, [text])[0] for text in TEXTS]
    np.testing.assert_allclose(unmasked.score_sentences(model, tokens, TEXTS), alone, rtol=1e-5)


def test_dropout_is_off_and_the_model_is_left_as_it_was() -> None:
    model, tokens = bert(), tokenizer()
    before = model.config._attn_implementation
    quiet = unmasked.score_sentences(model.eval(), tokens, TEXTS)
    assert (unmasked.score_sentences(model.train(), tokens, TEXTS) == quiet).all()
    assert model.training
    assert model.config._attn_implementation == before == "sdpa"
