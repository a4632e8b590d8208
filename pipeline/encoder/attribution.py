"""Which tokens of a text moved the classifier to its answer: integrated gradients.

Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", by Captum. The path goes,
in the space of word embeddings, from the text with every word masked to the text itself.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import nn

from pipeline.encoder.classifier import load_sequence_model
from pipeline.encoder.features import pool, run_batches, standardise
from pipeline.encoder.head import Head, load_head
from pipeline.encoder.loading import load_encoder
from pipeline.encoder.tokenizer import load_tokenizer
from pipeline.params import FeaturesParams

_BATCH_TOKENS = 4096


class Pooled(nn.Module):
    """A frozen encoder and its head: logits (B, K) of ids (B, T) or of word embeddings."""

    def __init__(self, encoder: Any, head: Head, pooling: Literal["mean", "cls"]) -> None:
        super().__init__()
        self.encoder, self.head, self.pooling = encoder, head, pooling

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits; ``inputs`` are the encoder's ``input_ids`` or ``inputs_embeds``."""
        hidden = self.encoder(**inputs).last_hidden_state
        logits: torch.Tensor = self.head(standardise(pool(hidden, self.pooling)).cpu())
        return logits


class Whole(nn.Module):
    """A stock sequence classifier, called as `Pooled` is."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, K)."""
        logits: torch.Tensor = self.encoder(**inputs).logits.cpu()
        return logits


@dataclass(frozen=True)
class Tokens:
    """A text's tokens, and which word each belongs to; special tokens belong to none."""

    ids: list[int]  # (T,)
    words: np.ndarray  # (T,) int, the word of each token, from 0; -1 of a special token
    names: tuple[str, ...]  # the words as they stand in the text


@dataclass(frozen=True)
class Explainer:
    """A trained classifier in eval mode, with gradients with respect to its word embeddings."""

    model: Pooled | Whole
    tokenizer: Any
    max_len_tokens: int

    def encode(self, text: str) -> Tokens:
        """Return the tokens that the classifier reads of a text."""
        encoded = self.tokenizer(text, truncation=True, max_length=self.max_len_tokens)
        words = np.array([-1 if word is None else word for word in encoded.word_ids()])
        spans = [encoded.word_to_chars(word) for word in range(words.max() + 1)]
        return Tokens(encoded["input_ids"], words, tuple(text[s.start : s.end] for s in spans))

    def hide(self, tokens: Tokens) -> list[int]:
        """Return the ids with every word's tokens masked, which is where the path starts."""
        mask: int = self.tokenizer.mask_token_id
        return [i if word < 0 else mask for i, word in zip(tokens.ids, tokens.words, strict=True)]

    def probabilities(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the probabilities of token ids, (N, K)."""
        return run_batches(
            lambda batch: self._forward(input_ids=batch.to(self._device)), ids, _BATCH_TOKENS
        )

    def attribute(self, tokens: Tokens, label: int, steps: int) -> np.ndarray:
        """Return how much each word adds to the probability of a label, (words,) float64.

        By Gauss-Legendre quadrature in ``steps`` points. The shares' sum is the probability less
        that of the hidden text, but for the quadrature's error (completeness, section 3).
        """
        embed = self.model.encoder.get_input_embeddings()
        end, start = (
            embed(torch.tensor([ids], device=self._device))
            for ids in (tokens.ids, self.hide(tokens))
        )  # (1, T, H)
        found = IntegratedGradients(
            lambda embeds: self._forward(inputs_embeds=embeds)[:, label]
        ).attribute(end, start, n_steps=steps)
        shares = found.sum(dim=-1)[0].double().cpu().numpy()  # (T,)
        inside = tokens.words >= 0
        return np.bincount(tokens.words[inside], shares[inside], minlength=len(tokens.names))

    def randomised(self, seed: int) -> "Explainer":
        """Return a copy with every matrix redrawn at its own deviation (Adebayo et al. 2018)."""
        model, draw = copy.deepcopy(self.model), torch.Generator().manual_seed(seed)
        for weights in model.parameters():
            if weights.dim() > 1:
                drawn = torch.randn(weights.shape, generator=draw)
                weights.data = (drawn * weights.std().cpu()).to(weights.device)
        return Explainer(model, self.tokenizer, self.max_len_tokens)

    def _forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.model(**inputs), dim=-1)

    @property
    def _device(self) -> torch.device:
        return next(self.model.encoder.parameters()).device


def load(pretrain_dir: Path, finetune_dir: Path, features: FeaturesParams) -> Explainer:
    """Load what finetune wrote, a head on the encoder of ``pretrain_dir`` or a whole model.

    Raises:
        InputError: where a stage has not run.
    """
    whole = finetune_dir / "model"
    if whole.is_dir():
        tokenizer = load_tokenizer(str(whole), "build/finetune")
        return Explainer(Whole(load_sequence_model(whole)), tokenizer, tokenizer.model_max_length)
    encoder = load_encoder(pretrain_dir / "model")
    model = Pooled(encoder, load_head(finetune_dir), features.pooling)
    tokenizer = load_tokenizer(str(pretrain_dir / "model"), "build/pretrain")
    return Explainer(model, tokenizer, features.max_len_tokens)
