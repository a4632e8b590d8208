"""A model that knows the words of planted secrets and no others, and has learnt nothing."""

from typing import Any

import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from pipeline.text import canaries

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "code", "of", "is", "."]
WORDS += [*canaries._COLOURS, *canaries._THINGS]


def tokenizer(digits: str = "0123456789") -> Any:
    """Return a tokenizer to which these digits are tokens, and all others unknown."""
    return BertTokenizer(vocab={word: place for place, word in enumerate([*WORDS, *digits])})


def model() -> Any:
    """Return the model, without dropout: the same at each call."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS) + 10,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertForMaskedLM(config).eval()
