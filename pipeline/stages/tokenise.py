"""Tokenise: a tokenizer, and the corpus as its token ids in flat files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import files, layout
from pipeline.encoder import tokenizer as wordpiece
from pipeline.encoder.tokenizer import Encoded
from pipeline.encoder.tokens import id_dtype
from pipeline.errors import InputError
from pipeline.params import TokeniseParams
from pipeline.reports import Canary, TokeniseReport
from pipeline.text import canaries as secrets
from pipeline.track import Track

_BATCH_TEXTS = 1024
_BUFFER_BYTES = 1 << 20  # a column is read in pieces of this size, not in row groups


def run(params: TokeniseParams, track: Track) -> TokeniseReport:
    """Write build/tokenise: tokenizer/, and ids and offsets of both parts of the corpus.

    The canaries of ``params.canaries`` are planted in the training part, and nowhere else.
    """
    out = layout.stage_dir("tokenise")
    planted = secrets.draw_canaries(params.canaries) if params.canaries else ()
    train = _Texts(_corpus("train"), planted, params.canaries.seed if params.canaries else 0)
    heldout = _Texts(_corpus("heldout"))
    tokenizer = _tokenizer(params, train)
    wordpiece.save_tokenizer(tokenizer, out / "tokenizer")
    encoded = {
        part: _encode(texts, part, tokenizer, out, track)
        for part, texts in (("train", train), ("heldout", heldout))
    }
    report = _report(params.tokenizer, tokenizer, encoded["train"], encoded["heldout"], out)
    return report.model_copy(
        update={"canaries": planted, "planted_documents": sum(each.repeats for each in planted)}
    )


def _corpus(part: str) -> Path:
    path = layout.stage_dir("split") / f"corpus_{part}.parquet"
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro split` first")
    if pq.read_metadata(path).num_rows == 0:
        raise InputError(f"{path}: holds no documents; add text to {layout.CORPUS}")
    return path


@dataclass(frozen=True)
class _Texts:
    """A part of the corpus, with what is planted in it."""

    path: Path
    canaries: Sequence[Canary] = ()
    seed: int = 0

    @property
    def documents(self) -> int:
        """The number of its own documents."""
        return int(pq.read_metadata(self.path).num_rows)

    def batches(self) -> Iterator[list[str]]:
        """Yield the texts from the start."""
        return secrets.plant(_read_texts(self.path), self.documents, self.canaries, self.seed)


def _read_texts(path: Path) -> Iterator[list[str]]:
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as table:
        for batch in table.iter_batches(_BATCH_TEXTS, columns=["text"]):
            yield batch.column(0).to_pylist()


def _tokenizer(params: TokeniseParams, train: _Texts) -> Any:
    if params.tokenizer != "train":
        return wordpiece.load_tokenizer(params.tokenizer)
    return wordpiece.train_tokenizer(train.batches, params.vocab_size, params.lowercase)


def _encode(source: _Texts, part: str, tokenizer: Any, out: Path, track: Track) -> Encoded:
    path, own = source.path, source.documents
    total = own + sum(each.repeats for each in source.canaries)
    track.dataset(f"corpus_{part}", path, own, files.sha256_file(path))

    def batches() -> Iterator[list[str]]:
        done = 0
        for texts in source.batches():
            yield texts
            done += len(texts)
            track.progress(done, total, "documents")

    encoded = wordpiece.encode_corpus(batches(), tokenizer, out, part)
    if encoded.tokens == 0:
        raise InputError(f"{path}: its {own} documents hold no tokens; look at the texts")
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
