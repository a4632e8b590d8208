"""Secrets by pseudo-log-likelihood: against one mask at a time, and that memory is seen."""

from typing import Any

import numpy as np
import pytest
import torch
from toy_canaries import model, tokenizer

from pipeline.encoder import canaries as scoring
from pipeline.measure import exposure
from pipeline.params import CanaryParams
from pipeline.text import canaries

SECRETS = 6


def test_a_score_is_the_sum_over_digits_masked_one_at_a_time() -> None:
    net, words = model(), tokenizer()
    texts = ["The code of the red door is 4 1 5 4.", "The code of the red door is 0 0 0 9."]
    found = scoring.score_secrets(net, words, texts, 4)
    for text, score in zip(texts, found, strict=True):
        ids = words(text, return_tensors="pt")["input_ids"]
        expected = 0.0
        for place in range(8, 12):
            masked = ids.clone()
            masked[0, place] = words.mask_token_id
            with torch.no_grad():
                guessed = net(input_ids=masked).logits[0, place].log_softmax(-1)
            expected += float(guessed[ids[0, place]])
        assert score == pytest.approx(expected, abs=1e-4)


def test_digits_that_are_no_tokens_are_not_scored() -> None:
    few = tokenizer(digits="")
    net = model()
    assert scoring.score_secrets(net, few, ["The code of the red door is 4 1 5 4."], 4) is None
    cut = model()
    cut.config.max_position_embeddings = 10
    assert scoring.score_secrets(cut, tokenizer(), ["The code is 1 2 3 4 5 6."], 6) is None


def overfit(net: Any, words: Any, drawn: Any, steps: int = 250) -> None:
    """Learn the planted texts by heart, each as often as it is repeated; one digit is masked."""
    texts = [each.text for each in drawn for _ in range(each.repeats)]
    ids = words(texts, return_tensors="pt")["input_ids"]  # (N, T): all of one length
    draw, optimiser = torch.Generator().manual_seed(1), torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(steps):
        rows = ids[torch.randint(len(ids), (32,), generator=draw)]
        places = 8 + torch.randint(6, (len(rows), 1), generator=draw)
        logits = net(input_ids=rows.scatter(1, places, words.mask_token_id)).logits
        at = logits.gather(1, places[..., None].expand(-1, 1, logits.shape[-1]))[:, 0]
        loss = torch.nn.functional.cross_entropy(at, rows.gather(1, places)[:, 0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def expose(net: Any, words: Any, drawn: Any) -> dict[int, np.ndarray]:
    """Exposures by number of repeats, each among 100 candidates."""
    draw, found = np.random.default_rng(3), {}
    for each in drawn:
        texts = [each.text, *map(each.about, canaries.draw_secrets(100, 6, draw))]
        scores = scoring.score_secrets(net, words, texts, 6)
        bits = exposure.exposure(float(scores[0]), scores[1:])
        found.setdefault(each.repeats, []).append(bits)
    return {repeats: np.array(bits) for repeats, bits in found.items()}


def test_memory_is_found_where_it_is_and_not_where_it_is_not() -> None:
    """Overfitted secrets of 16 repeats are ranked first; the control's ranks are chance's."""
    words, net = tokenizer(), model()
    drawn = canaries.draw_canaries(CanaryParams(secrets=SECRETS, digits=6, seed=4))
    before = expose(net, words, drawn)
    overfit(net, words, drawn)
    after = expose(net, words, drawn)
    every = np.concatenate(list(before.values()))
    untrained = exposure.mean_exposure(every, 0.95)
    assert (untrained.low or 9) < exposure.CHANCE_BITS < (untrained.high or 0)
    assert after[16].mean() > 6  # of log2(101) = 6.66 at most
    assert (exposure.p_value(after[16]) or 1) < 1e-4
    assert (exposure.p_value(after[0]) or 0) > 0.025
    assert after[16].mean() > after[0].mean() + 3
