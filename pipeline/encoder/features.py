"""Features: one pass of the frozen encoder over each text, pooled and cached.

A feature is ``z = LayerNorm(pool(h))`` without affine weights, where h (T, H) is the encoder's last
hidden state: the form that a stock sequence classifier can compute (see `assemble`). The encoder's
products may be in bfloat16; pooling and LayerNorm of h, and what is cached, are in float32.
"""

import functools
import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from torch.nn import functional as F

from pipeline import files, shards
from pipeline.encoder import cache
from pipeline.encoder.digest import encoder_digest
from pipeline.encoder.loading import load_encoder
from pipeline.encoder.precision import Precision, autocast, choose_precision, round_linear
from pipeline.encoder.tokenizer import load_tokenizer
from pipeline.errors import InputError
from pipeline.params import FeaturesParams

Progress = Callable[[int, int], None]  # (texts done, texts in all)

EPS = 1e-12  # BERT's layer_norm_eps
_DEFINITION = "layer_norm(pool(last_hidden_state))"  # part of the cache's key
_LOADING = threading.Lock()  # if two threads load a model at once it can lack weights
_CACHED_TEXTS = 1 << 16  # a shard; computed between two writes of the cache


@dataclass(frozen=True)
class Extractor:
    """A frozen encoder in eval mode: dropout is off and no weight takes a gradient."""

    encoder: Any  # (B, T) ids -> .last_hidden_state (B, T, H)
    tokenizer: Any
    params: FeaturesParams
    cache_path: Path
    digest: str  # of the encoder's weights
    folder: Path  # of the model
    precision: Precision = "float32"  # of the encoder's products; its weights are rounded to it

    def features(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """Return the features of the texts, (N, H) float32, from the cache where it has them.

        Other texts are computed and added to it. A row depends on the others only by the last bits,
        which a product of larger matrices may round differently; in bfloat16 these are coarse:
        0.03 was measured. All texts of a batch have one length, so there is neither padding nor a
        mask.
        """
        width: int = self.encoder.config.hidden_size
        table = cache.read(self.cache_path, width)
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        missing = {k: text for k, text in zip(keys, texts, strict=True) if k not in table.index}
        names = list(missing)
        parts = [names[i : i + _CACHED_TEXTS] for i in range(0, len(names), _CACHED_TEXTS)]
        work = self.cache_path.with_suffix("")
        rows = self._rows([[missing[key] for key in part] for part in parts], work, progress)
        for part, computed in zip(parts, rows, strict=True):
            table = table.add(part, computed)
            cache.write(self.cache_path, table)
        shutil.rmtree(work, ignore_errors=True)
        return table.rows[[table.index[key] for key in keys]]

    def _rows(
        self, parts: list[list[str]], work: Path, progress: Progress | None
    ) -> Iterator[np.ndarray]:
        """Yield the features of each part, computed one after another, or all as shards first."""
        total, start = sum(map(len, parts)), 0
        if shards.are_sent() and len(parts) > 1:
            asked = [self._shard(texts, work) for texts in parts]
            shards.run(asked, lambda done: progress(done, total) if progress else None)
            yield from (np.load(shard.done, allow_pickle=False) for shard in asked)
            return
        for texts in parts:
            yield self.compute(texts, _from(start, total, progress))
            start += len(texts)

    def _shard(self, texts: list[str], work: Path) -> shards.Shard:
        """Write the texts, and return the shard that computes their features."""
        data = json.dumps(texts).encode()
        done = (work / hashlib.sha256(data).hexdigest()[:16]).with_suffix(".npy").resolve()
        files.write_bytes(done.with_suffix(".json"), data)
        return shards.Shard(
            done.stem,
            "pipeline.encoder.features:compute_shard",
            {
                "model": str(self.folder.resolve()),
                "digest": self.digest,
                "params": self.params.model_dump() | {"precision": self.precision},
            },
            done,
            len(texts),
        )

    def compute(self, texts: Sequence[str], progress: Progress | None) -> np.ndarray:
        """Return the same as `features`, without reading or writing the cache."""
        ids = tokenise(texts, self.tokenizer, self.params.max_len_tokens).ids
        return run_batches(self._forward, ids, self.params.batch_tokens, progress)

    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        device = self.encoder.device
        with autocast(device, self.precision):
            hidden = self.encoder(input_ids=ids.to(device)).last_hidden_state
        return standardise(pool(hidden.float(), self.params.pooling))


def compute_shard(
    model: str, *, digest: str, params: dict[str, Any], done: Path, progress: shards.Progress
) -> None:
    """Write the features, (N, H) float32, of the texts in the JSON file beside ``done``.

    Args:
        model: The folder of the masked language model.
        digest: Of its encoder's weights.
        params: Those of the features.
        done: The ``.npy`` file to write.
        progress: Told how many texts are done.

    Raises:
        InputError: where the folder has another encoder.
    """
    extractor = _load_once(Path(model), FeaturesParams(**params), digest)
    texts = files.read_json(done.with_suffix(".json"))
    rows = extractor.compute(texts, lambda count, _: progress(count))
    write_rows(done, rows)


def write_rows(path: Path, rows: np.ndarray) -> None:
    """Write rows to a ``.npy`` file, whole or not at all."""
    with files.replacing(path) as temporary, temporary.open("wb") as stream:
        save_rows(stream, rows)


def save_rows(stream: BinaryIO, rows: np.ndarray) -> None:
    """Write the same bytes as `numpy.save`, whose error on a full disk does not say so."""
    whole = np.ascontiguousarray(rows)
    header = np.lib.format.header_data_from_array_1_0(whole)
    np.lib.format.write_array_header_1_0(stream, header)
    stream.write(whole.data)


def _load_once(model: Path, params: FeaturesParams, digest: str) -> Extractor:
    with _LOADING:
        return _load(model, params, digest)


@functools.lru_cache(maxsize=1)
def _load(model: Path, params: FeaturesParams, digest: str) -> Extractor:
    extractor = load_extractor(model, params, model)
    if extractor.digest != digest:
        raise InputError(f"{model}: not the encoder of this run; is the disk shared?")
    return extractor


@dataclass(frozen=True)
class Tokenised:
    """Texts as token ids, special tokens included, cut to a length."""

    ids: list[list[int]]
    truncated: int  # texts that were longer


def load_extractor(model_dir: Path, params: FeaturesParams, folder: Path) -> Extractor:
    """Load the encoder of a masked-LM directory; its features are cached in ``folder``.

    The cache file's name is a digest of all that a feature depends on besides its text: the
    encoder's weights and config, the tokenizer, pooling, length, precision and the definition
    above.

    Raises:
        InputError: where there is no model, or it has fewer positions than the length.
    """
    encoder = load_encoder(model_dir)
    tokenizer = load_tokenizer(str(model_dir), "build/pretrain")
    check_length(encoder.config, params.max_len_tokens)
    digest = encoder_digest(encoder)
    precision = choose_precision(params.precision, encoder.device)
    if precision == "bfloat16":
        round_linear(encoder)
    key = files.sha256_digests(
        {
            "encoder": digest,
            "config": hashlib.sha256(_config(encoder).encode()).hexdigest(),
            "tokenizer": hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest(),
            "pooling": params.pooling,
            "max_len_tokens": str(params.max_len_tokens),
            "definition": f"{_DEFINITION}, {precision}",
        }
    )
    path = folder / f"{key}.safetensors"
    return Extractor(encoder, tokenizer, params, path, digest, model_dir, precision)


def _config(encoder: Any) -> str:
    """Return what the weights do not show, such as the number of heads, as JSON."""
    values = encoder.config.to_dict()
    of_the_file = {"_name_or_path", "transformers_version"}
    return json.dumps({key: values[key] for key in values.keys() - of_the_file}, sort_keys=True)


def check_length(config: Any, max_len_tokens: int) -> None:
    """Raise `InputError` if a model has too few positions for texts of this length."""
    if max_len_tokens > config.max_position_embeddings:
        raise InputError(
            f"features.max_len_tokens: {max_len_tokens} is more than the encoder's "
            f"{config.max_position_embeddings} positions; lower it"
        )


def tokenise(texts: Sequence[str], tokenizer: Any, max_len_tokens: int) -> Tokenised:
    """Tokenise texts, with the special tokens of one sequence, cut to ``max_len_tokens``."""
    encoded = tokenizer(list(texts), truncation=True, max_length=max_len_tokens)
    truncated = sum(bool(encoding.overflowing) for encoding in encoded.encodings)
    return Tokenised(encoded["input_ids"], truncated)


def pool(hidden: torch.Tensor, pooling: Literal["mean", "cls"]) -> torch.Tensor:
    """Pool hidden states without padding, (B, T, H), to (B, H); the mean includes [CLS], [SEP]."""
    return hidden.mean(dim=1) if pooling == "mean" else hidden[:, 0]


def standardise(pooled: torch.Tensor) -> torch.Tensor:
    """Subtract each row's mean and divide by its deviation: LayerNorm without weights."""
    return F.layer_norm(pooled, pooled.shape[-1:], eps=EPS)


@torch.inference_mode()
def run_batches(
    forward: Callable[[torch.Tensor], torch.Tensor],
    ids: Sequence[Sequence[int]],
    batch_tokens: int,
    progress: Progress | None = None,
) -> np.ndarray:
    """Run ``forward``, (B, T) ids to (B, W), over texts; return (N, W) float32 in their order."""
    parts: list[np.ndarray] = []
    order: list[int] = []
    for batch in batches(ids, batch_tokens):
        parts.append(forward(torch.tensor([ids[i] for i in batch])).float().cpu().numpy())
        order.extend(batch)
        if progress:
            progress(len(order), len(ids))
    out = np.concatenate(parts)
    result = np.empty_like(out)
    result[order] = out
    return result


def batches(ids: Sequence[Sequence[int]], batch_tokens: int) -> Iterator[list[int]]:
    """Yield the places of texts of one length, longest first, at most ``batch_tokens`` a batch.

    A text longer than that is a batch of its own.
    """
    by_length: dict[int, list[int]] = {}
    for place, text in enumerate(ids):
        by_length.setdefault(len(text), []).append(place)
    for length in sorted(by_length, reverse=True):
        places = by_length[length]
        size = max(1, batch_tokens // length)
        yield from (places[start : start + size] for start in range(0, len(places), size))


def _from(start: int, total: int, progress: Progress | None) -> Progress | None:
    """Return a callback that reports one part's progress as progress of the whole."""
    if progress is None:
        return None
    return lambda done, _: progress(start + done, total)
