"""What each part of the recipe contributes: `recipe`'s smallest run with one part changed.

Needs build/tokenise, as `recipe` does. Losses are compared seed by seed, on the same rows.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.lockstep import spread
from benchmarks.recipe import SHARES, TOKENS, Corpus, params_of, read_corpus, train_ours
from pipeline.encoder.batches import Packing, Rows

SEEDS, SHARE = (1, 2), SHARES[0]
_ADAMW = {"optimiser": "adamw"}
CHANGES: dict[str, dict[str, Any]] = {
    "AdamW in Muon's place, at 3e-3": _ADAMW,
    "AdamW at 1e-3": {**_ADAMW, "learning_rate": 1e-3, "head_learning_rate": 1e-3},
    "dropout of 0.1": {"dropout": 0.1},
    "no warm-up": {"warmup_share": 0.0},
    "masking rate of 0.15": {"masking_rate": 0.15},
    "masking rate of 0.3": {"masking_rate": 0.3},
    "masking rate from 0.4 to 0.15": {"masking_rate_end": 0.15},
    "whole words masked": {"whole_words": True},
    "4 sequences a step": {"batch_sequences": 4},
    "16 sequences a step": {"batch_sequences": 16},
}


class _Together(Packing):
    """Rows whose documents see each other, as run_mlm has them."""

    def rows(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """Return the sequences of these numbers."""
        ids, segments = super().rows(numbers)
        return Rows(ids, np.minimum(segments, 1))


def compare() -> list[str]:
    """Train all variants; return a Markdown table of how much worse each is, in nats a token."""
    corpus = read_corpus()
    base = _losses(corpus)
    train = corpus.train
    together = _Together(train.tokens, train.vocabulary, train.seq_len_tokens)
    found = {name: _losses(corpus, **changes) for name, changes in CHANGES.items()}
    found["output bias from zero"] = _losses(corpus, shares=False)
    found["documents see each other"] = _losses(corpus._replace(train=together))
    tokens = int(SHARE * TOKENS)
    lines = [
        f"{tokens} tokens, {len(SEEDS)} seeds; the whole recipe's loss is {spread(base)}",
        "",
        "| change | loss above the whole recipe's, mean (least to greatest) |",
        "|---|---|",
    ]
    for name, losses in found.items():
        above = [loss - own for loss, own in zip(losses, base, strict=True)]
        lines.append(f"| {name} | {np.mean(above):+.3f} ({min(above):+.3f} to {max(above):+.3f}) |")
    return lines


def _losses(corpus: Corpus, shares: bool = True, **changes: Any) -> list[float]:
    sections = [params_of(SHARE, seed).model_copy(update=changes) for seed in SEEDS]
    return [train_ours(params, corpus, shares) for params in sections]
