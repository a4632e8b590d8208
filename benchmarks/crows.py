"""CrowS-Pairs of a BERT-mini against the authors' loop in plain transformers.

The rival masks each shared token in turn and passes one sentence to the model at a time, as Nangia
et al.'s metric.py does: it computes the logits of all positions and reads one. Each round takes
another part of a sample of the pairs. Ours scores all of that part and the rival its first few, so
the ratio is of seconds a pair. Processor seconds are given too, because other work on the machine
hardly changes them. The pairs and the tokenizer are those of the workspace; the model is untrained,
which makes no difference to its speed.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import transformers

from benchmarks.lockstep import spread
from pipeline import layout
from pipeline.adapters import crows_pairs
from pipeline.encoder import scoring
from pipeline.encoder.tokenizer import load_tokenizer
from pipeline.stages.audits.intrinsic import CROWS_PAIRS

ROUNDS, PAIRS, RIVAL_PAIRS = 4, 80, 2  # pairs in all, and the rival's of a round
Pairs = Sequence[tuple[str, str]]


def compare() -> list[str]:
    """Time both; return a Markdown table of the rival's seconds a pair over ours."""
    tokenizer = load_tokenizer(str(layout.MODELS / "minilm"))
    model = synthetic_model(len(tokenizer))
    count = len(crows_pairs.read_pairs(CROWS_PAIRS, None))
    pairs = [(pair.more, pair.less) for pair in crows_pairs.read_pairs(CROWS_PAIRS, PAIRS)]
    processor, ratios, apart = 0.0, [], 0.0
    for number in range(ROUNDS):
        part = pairs[number::ROUNDS]
        few = part[:RIVAL_PAIRS]
        theirs, expected = _timed(score_one_at_a_time, model, tokenizer, few)
        started = time.process_time()
        seconds, found = _timed(scoring.score_pairs, model, tokenizer, part)
        processor += time.process_time() - started
        ratios.append(theirs / len(few) / (seconds / len(part)))
        apart = max(apart, float(np.abs(found[: len(few)] - expected).max()))
    setting = (
        f"{torch.get_num_threads()} threads, float32, 4 layers x 256, V={len(tokenizer)}; "
        f"{len(pairs)} pairs; at their rate all {count} take ours {processor / PAIRS * count:.0f} "
        f"processor seconds; scores differ by {apart:.0e} nats at most; median (least to greatest) "
        f"of {ROUNDS} rounds"
    )
    columns = "| rival | its seconds a pair / ours |"
    return [setting, "", columns, "|---|---|", f"| one sentence a call | {spread(ratios)} |"]


def _timed(
    score: Callable[[Any, Any, Pairs], np.ndarray], model: Any, tokenizer: Any, pairs: Pairs
) -> tuple[float, np.ndarray]:
    started = time.perf_counter()
    scores = score(model, tokenizer, pairs)
    return time.perf_counter() - started, scores


def synthetic_model(vocabulary: int) -> Any:
    """Return an untrained BERT-mini (4 layers of 256), the same at each call."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=1024,
    )
    return transformers.BertForMaskedLM(config).eval()


@torch.no_grad()
def score_one_at_a_time(model: Any, tokenizer: Any, pairs: Pairs) -> np.ndarray:
    """Return the scores (pairs, 2) by the definition: each shared token masked, a call each."""
    scores = np.zeros((len(pairs), 2))
    for place, pair in enumerate(pairs):
        both = [tokenizer(text, return_tensors="pt")["input_ids"] for text in pair]
        for positions in scoring.shared_positions(*(ids[0].tolist() for ids in both)):
            for side, (ids, position) in enumerate(zip(both, positions, strict=True)):
                masked = ids.clone()
                masked[0, position] = tokenizer.mask_token_id
                guessed = model(masked).logits[0, position].log_softmax(dim=-1)
                scores[place, side] += float(guessed[ids[0, position]])
    return scores
