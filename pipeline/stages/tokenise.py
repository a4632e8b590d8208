"""Tokenise: a tokenizer, trained or reused, and the corpus as token ids in flat files."""

import functools
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import tokenizers

from pipeline import files, layout, shards
from pipeline.adapters import parquet
from pipeline.encoder import tokenizer as wordpiece
from pipeline.encoder.tokenizer import Encoded
from pipeline.encoder.tokens import id_dtype, join_tokens
from pipeline.errors import InputError
from pipeline.params import TokeniseParams
from pipeline.reports import Canary, TokeniseReport
from pipeline.text import canaries as secrets
from pipeline.track import Track

_BATCH_TEXTS = 1024


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
    digest = files.sha256_digests(files.sha256_tree(out / "tokenizer"))
    encoded = {
        part: _encode(texts, part, digest, track)
        for part, texts in (("train", train), ("heldout", heldout))
    }
    shutil.rmtree(layout.SHARDS / "tokenise", ignore_errors=True)
    return TokeniseReport(
        origin=params.tokenizer,
        vocab_size=len(tokenizer),
        id_bytes=id_dtype(len(tokenizer)).itemsize,
        tokenizer_digest=digest,
        canaries=planted,
        planted_documents=sum(each.repeats for each in planted),
        **_counts(encoded["train"], encoded["heldout"]),
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
    """A part of the corpus, with the canaries that are planted in it."""

    path: Path
    canaries: Sequence[Canary] = ()
    seed: int = 0

    @property
    def documents(self) -> int:
        """The number of documents without canaries."""
        return int(pq.read_metadata(self.path).num_rows)

    def batches(self, group: int | None = None, start: int = 0) -> Iterator[list[str]]:
        """Yield the texts of all row groups, or of one whose first document is number ``start``."""
        texts = _read_texts(self.path, None if group is None else [group])
        return secrets.plant(texts, self.documents, self.canaries, self.seed, start)


def _read_texts(path: Path, groups: list[int] | None) -> Iterator[list[str]]:
    with parquet.opened(path) as table:
        for batch in table.iter_batches(_BATCH_TEXTS, row_groups=groups, columns=["text"]):
            yield batch.column(0).to_pylist()


def _tokenizer(params: TokeniseParams, train: _Texts) -> Any:
    if params.tokenizer != "train":
        return wordpiece.load_tokenizer(params.tokenizer)
    return wordpiece.train_tokenizer(train.batches, params.vocab_size, params.lowercase)


def _encode(source: _Texts, part: str, tokenizer_digest: str, track: Track) -> Encoded:
    """Write a part's ids and offsets, joined from its shards, one for each row group."""
    corpus_digest, own = files.sha256_file(source.path), source.documents
    track.dataset(f"corpus_{part}", source.path, own, corpus_digest)
    total = own + sum(each.repeats for each in source.canaries)
    asked = _shards(source, part, {"corpus": corpus_digest, "tokenizer": tokenizer_digest})
    shards.run(asked, lambda done: track.progress(done, total, "documents"))
    counts = [astuple(Encoded(**files.read_json(shard.done))) for shard in asked]
    encoded = Encoded(*map(sum, zip(*counts, strict=True)))
    if encoded.tokens == 0:
        raise InputError(f"{source.path}: its {own} documents hold no tokens; look at the texts")
    names = [shard.done.stem for shard in asked]
    join_tokens(asked[0].done.parent, names, layout.stage_dir("tokenise"), part)
    return encoded


def _shards(source: _Texts, part: str, digests: Mapping[str, str]) -> list[shards.Shard]:
    """Return a shard for each row group, in a folder named by all that the ids depend on."""
    canaries = [each.model_dump(mode="json") for each in source.canaries]
    key = files.sha256_digests(
        {
            **digests,
            "planted": json.dumps([canaries, source.seed]),
            "code": files.sha256_file(Path(wordpiece.__file__)),
            "library": tokenizers.__version__,
        }
    )
    shared = {
        "source": {
            "path": str(source.path.resolve()),
            "canaries": canaries,
            "seed": source.seed,
        },
        "tokenizer": str((layout.stage_dir("tokenise") / "tokenizer").resolve()),
        "digest": digests["tokenizer"],
    }
    folder = (layout.SHARDS / "tokenise" / key[:16]).resolve()
    metadata, start, found = pq.read_metadata(source.path), 0, []
    for group in range(metadata.num_row_groups):
        done = folder / f"{part}_{group}.json"
        own = {"group": group, "start": start}
        rows = metadata.row_group(group).num_rows
        name = f"{part} {group + 1} of {metadata.num_row_groups}"
        found.append(
            shards.Shard(name, "pipeline.stages.tokenise:encode_shard", shared | own, done, rows)
        )
        start += rows
    return found


def encode_shard(
    source: Mapping[str, Any],
    *,
    group: int,
    start: int,
    tokenizer: str,
    digest: str,
    done: Path,
    progress: shards.Progress,
) -> None:
    """Write a row group's ids and offsets beside ``done``, and its `Encoded` to ``done``.

    Args:
        source: The path of the Parquet file, and the canaries and seed of what is planted in it.
        group: The number of the row group.
        start: The number of its first document in the whole file.
        tokenizer: Its folder.
        digest: Of that folder.
        done: The JSON file to write last.
        progress: Receives the number of documents done.
    """
    canaries = tuple(Canary.model_validate(each) for each in source["canaries"])
    texts = _Texts(Path(source["path"]), canaries, source["seed"])

    def batches() -> Iterator[list[str]]:
        count = 0
        for batch in texts.batches(group, start):
            yield batch
            count += len(batch)
            progress(count)

    loaded = _load_tokenizer(tokenizer, digest)
    encoded = wordpiece.encode_corpus(batches(), loaded, done.parent, done.stem)
    files.write_json(done, asdict(encoded))


@functools.lru_cache(maxsize=1)
def _load_tokenizer(folder: str, digest: str) -> Any:
    if files.sha256_digests(files.sha256_tree(Path(folder))) != digest:
        raise InputError(f"{folder}: not the tokenizer of this run; is the disk shared?")
    return wordpiece.load_tokenizer(folder)


def _counts(train: Encoded, heldout: Encoded) -> dict[str, Any]:
    return {
        "train_tokens": train.tokens,
        "heldout_tokens": heldout.tokens,
        "train_documents": train.documents,
        "heldout_documents": heldout.documents,
        "unknown_share": train.unknown / train.tokens,
        "tokens_per_word": train.tokens / train.words,
    }
