"""Learning rate and batch from a model's size and its token budget, as papers have fitted them.

Both laws were fitted on causal language models trained from scratch with Adam. RoBERTa, a masked
language model, used settings close to them (Liu et al. 2019, table 9): rates of 6e-4 and 4e-4 where
`learning_rate` gives 6.9e-4 and 5.2e-4, and 4.2 million tokens a step where `batch_tokens` gives
2.3 million. No such law is known for continued pretraining, which depends on how training ended.
"""

import math
from collections.abc import Mapping
from typing import Any

AUTO = "auto"
_MATRIX_ENTRIES = {"bert": 12.0, "modernbert": 8.5}  # of a layer, over its squared width


def parameters(architecture: str, layers: int, hidden: int) -> float:
    """Return N, the number of weights in the layers' matrices, without embeddings and vectors."""
    return _MATRIX_ENTRIES.get(architecture, _MATRIX_ENTRIES["bert"]) * layers * hidden**2


def learning_rate(parameters: float) -> float:
    """Return Adam's peak rate for N parameters: 0.003239 - 0.0001395 ln N.

    Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section D.6, equation D.1. The
    authors say that it breaks down above 1e10; at 1.2e10 it reaches zero.

    Raises:
        ValueError: above 1e10.
    """
    if parameters > 1e10:
        raise ValueError(f"no learning rate is known for {parameters:.1e} parameters; set a number")
    return 0.003239 - 0.0001395 * math.log(parameters)


def batch_tokens(parameters: float, layers: int, hidden: int, seq_len: int, tokens: int) -> float:
    """Return the best tokens a step: 0.2920 C^0.3271 for C = (6 N + 12 L H T) D operations.

    Bi et al. 2024, "DeepSeek LLM", equations 1 and 2; fitted from 1e17 to 2e19 operations, and
    checked by its authors at 1e20. For smaller runs it is an extrapolation.
    """
    operations = (6 * parameters + 12 * layers * hidden * seq_len) * tokens
    return 0.2920 * operations**0.3271


def batch_sequences(tokens_a_step: float, seq_len: int) -> int:
    """Return the power of two of sequences nearest to so many tokens; processes can share it."""
    return int(2 ** max(0, round(math.log2(tokens_a_step / seq_len))))


def settle(pretrain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section pretrain with numbers for each `AUTO`.

    Raises:
        ValueError: where a size that it needs is missing, or the model is not from scratch.
    """
    asked = [key for key in ("learning_rate", "batch_sequences") if pretrain.get(key) == AUTO]
    if not asked:
        return dict(pretrain)
    if pretrain.get("init") != "scratch":
        raise ValueError(f"{asked[0]}: auto works with init: scratch only; set a number")
    layers, hidden, seq_len, tokens = (
        _positive(pretrain, key) for key in ("layers", "hidden", "seq_len_tokens", "tokens")
    )
    size = parameters(str(pretrain.get("architecture")), layers, hidden)
    best = batch_tokens(size, layers, hidden, seq_len, tokens)
    settled = {
        "learning_rate": learning_rate(size),
        "batch_sequences": batch_sequences(best, seq_len),
    }
    return {**pretrain, **{key: settled[key] for key in asked}}


def _positive(pretrain: Mapping[str, Any], key: str) -> int:
    value = pretrain.get(key)
    if type(value) is not int or value < 1:
        raise ValueError(f"{key} must be a whole number above 0 where another key is auto")
    return value
