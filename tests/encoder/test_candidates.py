"""Against the definitions, one masked sentence at a time, by the model's own logits."""

from typing import Any

import numpy as np
import pytest
import torch
from test_scoring import bert, modern_bert, tokenizer

from pipeline.encoder import candidates

WORDS = [("The old ", "man", " sat."), ("The ", "longer", " mat."), ("A ", "long", " mat and")]
SENTENCES = [("the ", "man", "woman", " sat"), ("a young ", "woman", "man", " slept on the mat.")]


def probability(model: Any, tokens: Any, text: str, token: int) -> float:
    """Of a token in the place of the only mask of a text."""
    ids = tokens(text)["input_ids"]
    with torch.no_grad():
        logits = model.eval()(torch.tensor([ids])).logits[0]
    return float(logits[ids.index(tokens.mask_token_id)].softmax(-1)[token])


@pytest.mark.parametrize("make", [bert, modern_bert])
def test_a_word_scores_the_mean_probability_of_its_tokens_from_left_to_right(make: Any) -> None:
    """Of longer: P(long | the [MASK] mat) and P(##er | the long[MASK] mat)."""
    model, tokens = make(), tokenizer()
    ids = tokens.convert_tokens_to_ids
    known = [
        probability(model, tokens, "The old [MASK] sat.", ids("man")),
        (
            probability(model, tokens, "The [MASK] mat.", ids("long"))
            + probability(model, tokens, "The long[MASK] mat.", ids("##er"))
        )
        / 2,
        probability(model, tokens, "A [MASK] mat and", ids("long")),
    ]
    assert candidates.score_words(model, tokens, WORDS) == pytest.approx(known, rel=1e-4)


def test_pronouns_score_the_log_of_their_odds() -> None:
    model, tokens = bert(), tokenizer()
    ids = tokens.convert_tokens_to_ids
    texts = ["the [MASK] sat", "a young [MASK] slept on the mat."]
    known = [
        np.log(probability(model, tokens, text, ids(first)))
        - np.log(probability(model, tokens, text, ids(second)))
        for text, (_, first, second, _) in zip(texts, SENTENCES, strict=True)
    ]
    assert candidates.score_pronouns(model, tokens, SENTENCES) == pytest.approx(known, abs=1e-4)


def test_a_pronoun_of_no_or_several_tokens_is_not_scored() -> None:
    """The tokenizer splits longer in two, and does not know he."""
    odd = [("the ", "longer", "man", " sat"), SENTENCES[0], ("the ", "man", "he", " sat")]
    found = candidates.score_pronouns(bert(), tokenizer(), odd)
    assert np.isnan(found).tolist() == [True, False, True]
    assert np.isnan(candidates.score_pronouns(bert(), tokenizer(), odd[:1])).all()
    assert candidates.unknown_words(tokenizer(), ["longer", "he", "man"]) == {"he"}


def test_of_a_text_beyond_the_models_positions_the_middle_is_read() -> None:
    """The toy has 32: 16 before the mask, it, and 15 after, with no special token in reach."""
    long = ("the mat " * 29, "man", "woman", " sat" + " on" * 20)
    model, tokens = bert(), tokenizer()
    man, woman, *ids = tokens.convert_tokens_to_ids(
        ["man", "woman", *["the", "mat"] * 8, "[MASK]", "sat", *["on"] * 14]
    )
    with torch.no_grad():
        logits = model.eval()(torch.tensor([ids])).logits[0, 16]
    found = candidates.score_pronouns(model, tokens, [long])
    assert found == pytest.approx(float(logits[man] - logits[woman]), abs=1e-4)
