"""Split: rows are divided by a hash of their content, so a row's part never depends on others.

u, the first 64 bits of SHA-256(salt, words of the text) / 2^64, is uniform on [0, 1). A row belongs
to test if u < test_share, to validation if u lies in the next validation_share, else to train.
Adding, removing or reordering rows moves no other row. Texts of the same words have the same u, so
copies that differ in case, punctuation or spacing are never separated.

The split is stratified in expectation: every label and group has each share on average, with the
binomial deviation of its number of rows. With exact quotas, one new row could move others.
"""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.parquet

from pipeline import layout, reports
from pipeline.adapters import parquet
from pipeline.adapters.rows import digest_ids
from pipeline.errors import InputError
from pipeline.params import SplitParams
from pipeline.text.normal import content_key
from pipeline.track import Track

Fractions = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_NOT_GROUPS = ("id", "text", "label", "rating")
_BUCKET_BYTES = 32 << 20  # of the corpus, sorted at a time; about four times this is in memory
_DRAWN_ROWS = 4096  # texts held as Python strings at a time


def run(params: SplitParams, track: Track) -> reports.SplitReport:
    """Write train, validation, test, corpus_train and corpus_heldout .parquet to build/split.

    Raises:
        InputError: where validate has not run, or a part would be empty.
    """
    names = reports.read(reports.ValidateReport).label_names
    source, folder = layout.stage_dir("validate"), layout.stage_dir("split")
    parts = split_labelled(pyarrow.parquet.read_table(source / "labelled.parquet"), params)
    described = {name: describe(part, names) for name, part in parts.items()}
    for name, part in parts.items():
        path = folder / f"{name}.parquet"
        parquet.write(path, part)
        track.dataset(name, path, part.num_rows, described[name].digest)
    documents = split_corpus(source / "corpus.parquet", folder, params, track)
    _refuse_empty({name: part.num_rows for name, part in parts.items()} | documents)
    return reports.SplitReport(
        label_names=names,
        corpus_train_documents=documents["corpus_train"],
        corpus_heldout_documents=documents["corpus_heldout"],
        **described,
    )


def fractions(salt: str, keys: Sequence[str]) -> Fractions:
    """Return for each key a number uniform on [0, 1] that depends on the salt and the key alone."""
    digests = (hashlib.sha256(f"{salt}\n{key}".encode()).digest() for key in keys)
    return np.fromiter((int.from_bytes(d[:8]) / 2**64 for d in digests), np.float64, len(keys))


def lowest(ids: Sequence[str], limit: int | None) -> Mask:
    """Return a mask of the rows with the ``limit`` lowest ids, which are hashes themselves.

    Rows that a lower limit keeps are also kept by a higher one.
    """
    kept = np.zeros(len(ids), np.bool_)
    kept[np.argsort(np.array(ids, np.str_), kind="stable")[:limit]] = True
    return kept


def split_labelled(rows: pyarrow.Table, params: SplitParams) -> dict[str, pyarrow.Table]:
    """Return train, validation and test, each sorted by id."""
    rows = rows.sort_by("id")
    rows = rows.filter(lowest(rows["id"].to_pylist(), params.max_rows))
    drawn = _draw(rows, params.salt)
    edge = params.test_share + params.validation_share
    return {
        "train": rows.filter(drawn >= edge),
        "validation": rows.filter((drawn >= params.test_share) & (drawn < edge)),
        "test": rows.filter(drawn < params.test_share),
    }


def split_corpus(source: Path, folder: Path, params: SplitParams, track: Track) -> dict[str, int]:
    """Write corpus_train and corpus_heldout, each sorted by id; return their numbers of rows."""
    wanted = pyarrow.parquet.read_metadata(source).num_rows
    if params.max_documents is not None:
        wanted = min(wanted, params.max_documents)
    counts = {"corpus_train": 0, "corpus_heldout": 0}
    schema = pyarrow.parquet.read_schema(source)
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(parquet.writer(folder / f"{name}.parquet", schema))
            for name in counts
        }
        for bucket in parquet.sorted_by_id(source, layout.STATE, _BUCKET_BYTES):
            rows = bucket.slice(0, wanted - sum(counts.values()))  # the lowest ids come first
            heldout = _draw(rows, params.salt) < params.heldout_share
            for name, mask in (("corpus_train", ~heldout), ("corpus_heldout", heldout)):
                writers[name].write_table(rows.filter(mask))
                counts[name] += int(mask.sum())
            track.progress(sum(counts.values()), wanted, "documents")
            if sum(counts.values()) == wanted:
                break
    return counts


def describe(part: pyarrow.Table, label_names: Sequence[str]) -> reports.Split:
    """Count a part's rows by label and by each group column."""
    labels = np.bincount(part["label"].to_numpy(), minlength=len(label_names))
    return reports.Split(
        rows=part.num_rows,
        labels=dict(zip(label_names, labels.tolist(), strict=True)),
        groups={
            name: _count(part[name].to_pylist())
            for name in part.column_names
            if name not in _NOT_GROUPS
        },
        digest=digest_ids(part["id"].to_pylist()),
    )


def _count(values: list[str]) -> dict[str, int]:
    found, counts = np.unique(np.array(values, np.str_), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _draw(rows: pyarrow.Table, salt: str) -> Fractions:
    texts = rows["text"]
    parts = (texts.slice(at, _DRAWN_ROWS) for at in range(0, len(texts), _DRAWN_ROWS))
    drawn = (fractions(salt, [content_key(t) for t in part.to_pylist()]) for part in parts)
    return np.concatenate([np.zeros(0), *drawn])


def _refuse_empty(rows: dict[str, int]) -> None:
    empty = ", ".join(name for name, count in rows.items() if not count)
    if empty:
        kept = ", ".join(f"{name} {count}" for name, count in rows.items() if count)
        raise InputError(
            f"split: no row for {empty} (rows: {kept or 'none'}); add data, or raise its share or "
            "limit in params.yaml, section split"
        )
