"""Memory of the data stages at four times the rows: what is held of each row, and what of none."""

import random
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import yaml
from toy_model import toy_tokenizer

from pipeline import params
from pipeline.adapters import parquet
from pipeline.encoder.tokenizer import encode_corpus
from pipeline.stages import split, tokenise
from pipeline.text import checks, near, tables
from pipeline.text.normal import text_id
from pipeline.track import Silent

ROWS, BATCH_ROWS = 300, 30
RAW = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())


def make_batches(rows: int) -> Iterator[list[str]]:
    """Yield texts of about a kilobyte, none like another."""
    draw = random.Random(1)
    words = [f"word{number}" for number in range(5000)]
    for _ in range(rows // BATCH_ROWS):
        yield [" ".join(draw.choices(words, k=110)) for _ in range(BATCH_ROWS)]


def write_corpus(path: Path, rows: int) -> Path:
    schema = pyarrow.schema({"id": pyarrow.string(), "text": pyarrow.string()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for texts in make_batches(rows):
            columns = {"id": [text_id(text) for text in texts], "text": texts}
            writer.write_table(pyarrow.table(columns, schema=schema))
    return path


def peak_bytes(run: Callable[[int], None], rows: int) -> int:
    """Return what Python, NumPy and Arrow had at most, above what they had before."""
    before = pyarrow.default_memory_pool()
    counted = pyarrow.proxy_memory_pool(before)
    pyarrow.set_memory_pool(counted)
    tracemalloc.start()
    try:
        run(rows)
        return tracemalloc.get_traced_memory()[1] + (counted.max_memory() or 0)
    finally:
        tracemalloc.stop()
        pyarrow.set_memory_pool(before)


def test_validate_holds_less_of_a_text_than_its_signature(tmp_path: Path) -> None:
    section = params.ValidateParams.model_validate(RAW["validate"], strict=False)

    def run(rows: int) -> None:
        batches = ([{"text": text} for text in texts] for texts in make_batches(rows))
        numbered = (("made.jsonl", range(BATCH_ROWS), batch) for batch in batches)
        with near.SignatureStore(tmp_path) as signatures:
            table = tables.profile_corpus(numbered, section, signatures, {})
            assert checks.find_failures(table, signatures, section).kept.sum() == rows

    run(ROWS)  # what is made once
    few, many = (peak_bytes(run, rows) for rows in (ROWS, 4 * ROWS))
    assert many - few < 3 * ROWS * 2 * near.HASHES


def test_split_holds_a_bucket_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = params.SplitParams.model_validate(RAW["split"] | {"max_documents": None})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(split, "_BUCKET_BYTES", 100_000)
    monkeypatch.setattr(parquet, "_SCATTERED_ROWS", BATCH_ROWS)
    for rows in (ROWS, 4 * ROWS):
        write_corpus(Path(f"{rows}.parquet"), rows)

    def run(rows: int) -> None:
        counts = split.split_corpus(Path(f"{rows}.parquet"), Path("out"), section, Silent())
        assert sum(counts.values()) == rows

    run(ROWS)
    few, many = (peak_bytes(run, rows) for rows in (ROWS, 4 * ROWS))
    assert many < 1.4 * few


def test_tokenise_holds_a_batch_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenise, "_BATCH_TEXTS", BATCH_ROWS)
    for rows in (ROWS, 4 * ROWS):
        write_corpus(tmp_path / f"{rows}.parquet", rows)

    def run(rows: int) -> None:
        batches = tokenise._read_texts(tmp_path / f"{rows}.parquet", None)
        assert encode_corpus(batches, toy_tokenizer(), tmp_path, "train").documents == rows

    run(ROWS)
    few, many = (peak_bytes(run, rows) for rows in (ROWS, 4 * ROWS))
    assert many < 1.4 * few
