"""Tokenise: a tokenizer, and the corpus as its token ids in flat files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import files, layout
from pipeline.encoder import tokenizer as wordpiece
from pipeline.encoder.tokenizer import Encoded
from pipeline.encoder.tokens import id_dtype
from pipeline.errors import InputError
from pipeline.params import TokeniseParams
from pipeline.reports import TokeniseReport
from pipeline.track import Track

_BATCH_TEXTS = 1024
_BUFFER_BYTES = 1 << 20  # a column is read in pieces of this size, not in row groups


def run(params: TokeniseParams, track: Track) -> TokeniseReport:
    """Write build/tokenise: tokenizer/, and ids and offsets of both parts of the corpus."""
    out = layout.stage_dir("tokenise")
    train, heldout = (_corpus(part) for part in ("train", "heldout"))
    tokenizer = _tokenizer(params, train)
    wordpiece.save_tokenizer(tokenizer, out / "tokenizer")
    encoded = {
        part: _encode(path, part, tokenizer, out, track)
        for part, path in (("train", train), ("heldout", heldout))
    }
    return _report(params.tokenizer, tokenizer, encoded["train"], encoded["heldout"], out)


def _corpus(part: str) -> Path:
    path = layout.stage_dir("split") / f"corpus_{part}.parquet"
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro split` first")
    if pq.read_metadata(path).num_rows == 0:
        raise InputError(f"{path}: holds no documents; add text to {layout.CORPUS}")
    return path


def _read_texts(path: Path) -> Iterator[list[str]]:
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as table:
        for batch in table.iter_batches(_BATCH_TEXTS, columns=["text"]):
            yield batch.column(0).to_pylist()


def _tokenizer(params: TokeniseParams, train: Path) -> Any:
    if params.tokenizer != "train":
        return wordpiece.load_tokenizer(params.tokenizer)
    return wordpiece.train_tokenizer(
        lambda: _read_texts(train), params.vocab_size, params.lowercase
    )


def _encode(path: Path, part: str, tokenizer: Any, out: Path, track: Track) -> Encoded:
    total = pq.read_metadata(path).num_rows
    track.dataset(f"corpus_{part}", path, total, files.sha256_file(path))

    def batches() -> Iterator[list[str]]:
        done = 0
        for texts in _read_texts(path):
            yield texts
            done += len(texts)
            track.progress(done, total, "documents")

    encoded = wordpiece.encode_corpus(batches(), tokenizer, out, part)
    if encoded.tokens == 0:
        raise InputError(f"{path}: its {total} documents hold no tokens; look at the texts")
    return encoded


def _report(
    origin: str, tokenizer: Any, train: Encoded, heldout: Encoded, out: Path
) -> TokeniseReport:
    return TokeniseReport(
        origin=origin,
        vocab_size=len(tokenizer),
        train_tokens=train.tokens,
        heldout_tokens=heldout.tokens,
        train_documents=train.documents,
        heldout_documents=heldout.documents,
        unknown_share=train.unknown / train.tokens,
        tokens_per_word=train.tokens / train.words,
        id_bytes=id_dtype(len(tokenizer)).itemsize,
        tokenizer_digest=files.sha256_digests(files.sha256_tree(out / "tokenizer")),
    )
