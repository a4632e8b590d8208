"""The trained classifier, loaded from the stages' folders or a bundle: texts to probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from pipeline import files, layout
from pipeline.encoder.features import Extractor, Progress, load_extractor, run_batches, tokenise
from pipeline.encoder.head import SHAPE, Head, load_head
from pipeline.encoder.loading import load_model
from pipeline.encoder.source import RUNS_CODE
from pipeline.encoder.tokenizer import load_tokenizer
from pipeline.errors import InputError
from pipeline.params import FeaturesParams

_BATCH_TOKENS = 4096
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Classifier:
    """A trained classifier in eval mode, in float32."""

    labels: int
    score: Callable[[Sequence[str], Progress | None], np.ndarray]  # texts -> logits (N, K)

    def probabilities(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """Return the softmax of the logits, (N, K) float64; the answer to a text is its argmax.

        ``progress`` receives the number of texts done and of all texts.
        """
        if not texts:
            return np.empty((0, self.labels))
        logits = self.score(texts, progress).astype(np.float64)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: np.ndarray = exponents / exponents.sum(axis=1, keepdims=True)
        return shares


def load(pretrain_dir: Path, finetune_dir: Path, features: FeaturesParams) -> Classifier:
    """Load what finetune wrote: a head on the encoder of ``pretrain_dir``, or a whole model.

    The head's features are computed in float32, as in the bundle, or taken from the cache.

    Raises:
        InputError: where a stage has not run, or head and encoder do not fit together.
    """
    whole = finetune_dir / "model"
    if whole.is_dir():
        return load_stock(whole)
    extractor = load_extractor(pretrain_dir / "model", features.exact, layout.FEATURE_CACHE)
    head = load_head(finetune_dir)
    width = extractor.encoder.config.hidden_size
    if head.output.in_features != width:
        raise InputError(
            f"{finetune_dir / SHAPE}: the head is {head.output.in_features} wide and the encoder "
            f"{width}; run `dvc repro finetune`"
        )
    return from_head(extractor, head)


def load_bundle(bundle_dir: Path) -> Classifier:
    """Load a bundle, which may come from elsewhere, by stock `transformers`, as any user would.

    Every file must have its digest, none may be of a kind that can run code when it is read, and
    the weights must be one safetensors file. Nothing is downloaded.

    Raises:
        InputError: naming the file that is changed, missing or not allowed.
    """
    check_loadable(bundle_dir)
    return load_stock(bundle_dir)


def check_loadable(bundle_dir: Path) -> None:
    """Check that a bundle's files are whole, and that none of them can run code.

    Raises:
        InputError: naming the file that is changed, missing or not allowed.
    """
    for name in files.verify_files(bundle_dir):
        if Path(name).suffix in RUNS_CODE or Path(name).name == "adapter_config.json":
            raise InputError(f"{bundle_dir / name}: could run code, so it is not read; remove it")
    if not (bundle_dir / _WEIGHTS).is_file():
        raise InputError(f"{bundle_dir / _WEIGHTS}: missing; make the bundle again")


def load_stock(model_dir: Path) -> Classifier:
    """Load a directory that this project wrote, by stock `transformers`."""
    return from_model(load_sequence_model(model_dir), load_tokenizer(str(model_dir), "bundle"))


def load_sequence_model(model_dir: Path) -> Any:
    """Load a directory by ``AutoModelForSequenceClassification``, frozen and in eval mode."""
    model = load_model(AutoModelForSequenceClassification, model_dir)
    return model.requires_grad_(False).eval()


def from_head(extractor: Extractor, head: Head) -> Classifier:
    """Return the classifier that a frozen encoder and a head make."""

    def score(texts: Sequence[str], progress: Progress | None) -> np.ndarray:
        with torch.inference_mode():
            logits: np.ndarray = head(torch.from_numpy(extractor.features(texts, progress))).numpy()
        return logits

    return Classifier(head.output.out_features, score)


def from_model(model: Any, tokenizer: Any) -> Classifier:
    """Return the classifier of a stock model; texts are cut to ``tokenizer.model_max_length``."""

    def score(texts: Sequence[str], progress: Progress | None) -> np.ndarray:
        ids = tokenise(texts, tokenizer, tokenizer.model_max_length).ids
        return sequence_logits(model, ids, _BATCH_TOKENS, progress)

    return Classifier(model.config.num_labels, score)


def sequence_logits(
    model: Any,
    ids: Sequence[Sequence[int]],
    batch_tokens: int,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return a sequence classifier's logits of token ids, (N, K) float32."""
    return run_batches(
        lambda batch: model(input_ids=batch.to(model.device)).logits, ids, batch_tokens, progress
    )
