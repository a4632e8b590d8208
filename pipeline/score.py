"""``python -m pipeline score MODEL ROWS SCORED``: label every row of a Parquet file.

The model is verified before it is loaded; if it is refused nothing is written. Rows are read and
written in chunks, so memory does not grow with the file. Within a chunk, texts of one length form a
batch: there is no padding, and a row's probability depends on the rows beside it by rounding only
(1e-7 was seen, and a test allows 1e-6).
"""

import collections
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import champion, files, reports, trust, verify
from pipeline.adapters import parquet
from pipeline.errors import InputError
from pipeline.policy import rules
from pipeline.reports import BundleReport, Report

Progress = Callable[[int, int], None]  # (rows done, rows in all)

TEXT = "text"
ADDED = pa.schema(
    {
        "label": pa.string(),  # null where the row has a problem
        "probability": pa.float64(),  # of that label
        "problem": pa.string(),  # why there is no label; null where there is one
        "model_digest": pa.string(),  # of the bundle
        "model_version": pa.string(),  # in the registry; null where a folder was asked
    }
)
_CHUNK_ROWS = 1 << 14  # enough texts of each length for whole batches
_NAMED_ROWS = 5  # at most so many rows with a problem are named in the summary


@dataclass(frozen=True)
class VerifiedBundle:
    """A bundle whose files, signature and decision were checked."""

    folder: Path
    labels: tuple[str, ...]
    digest: str
    version: str | None


class Scoring(Report):
    """What was written, and by which model."""

    path: str
    model_digest: str
    model_version: str | None
    rows: int
    problems: dict[str, int]  # problem -> rows
    first_problems: tuple[str, ...]  # the first such rows, by number from 1
    seconds: float  # of reading, scoring and writing; the model was loaded before

    def summary(self) -> str:
        """Return the result for a terminal."""
        version = f"version {self.model_version}, " if self.model_version else ""
        without = sum(self.problems.values())
        rate = self.rows / self.seconds if self.seconds else 0
        lines = [f"no label: {count:,} rows: {why}" for why, count in self.problems.items()]
        lines += self.first_problems
        lines += [f"{self.path}: {self.rows:,} rows, {self.rows - without:,} with a label"]
        lines += [f"by {version}bundle {self.model_digest[:12]}"]
        return "\n".join([*lines, f"{rate:,.0f} rows/s over {self.seconds:.1f} s"])


def score(target: str, source: Path, out: Path, max_chars: int, progress: Progress) -> Scoring:
    """Write the rows of ``source`` to ``out``, with all their columns and those of `ADDED`.

    A text that is null, empty, not UTF-8 or longer than ``max_chars`` gets a null label and a
    ``problem``; no row is dropped. A text of more tokens than the model reads is cut, as in
    training and evaluation.

    Args:
        target: ``models:/NAME@ALIAS``, ``models:/NAME/NUMBER`` or a bundle's folder.
        source: A Parquet file with a string column ``text``.
        out: A Parquet file, replaced whole.
        max_chars: The longest text that is labelled; ``validate.max_chars`` in training.
        progress: Receives the number of rows done and of all rows.

    Raises:
        InputError: where the model is refused, or the file cannot be read or lacks the column.
    """
    from pipeline.encoder import classifier

    rows = open_rows(source, out)
    bundle = open_bundle(target)
    model = classifier.load_bundle(bundle.folder)
    problems: collections.Counter[str] = collections.Counter()
    named: list[str] = []
    done, started = 0, time.monotonic()
    with parquet.writer(out, _join_schemas(rows.schema_arrow)) as opened:
        for chunk in _chunks(rows, source):
            texts = read_texts(chunk, max_chars)
            opened.write_table(_join(chunk, answer(texts, bundle, model)))
            found = [(row, why) for row, (_, why) in enumerate(texts, start=done + 1) if why]
            problems.update(why for _, why in found)
            named += [f"row {row}: {why}" for row, why in found[: _NAMED_ROWS - len(named)]]
            done += chunk.num_rows
            progress(done, rows.metadata.num_rows)
    return Scoring(
        path=str(out),
        model_digest=bundle.digest,
        model_version=bundle.version,
        rows=done,
        problems=dict(problems),
        first_problems=tuple(named),
        seconds=time.monotonic() - started,
    )


def open_bundle(target: str) -> VerifiedBundle:
    """Verify a bundle as `verify` does, but without moving an alias or requiring the log.

    Raises:
        InputError: naming what was changed, or the waiver that is no longer valid.
    """
    if not target.startswith("models:"):
        verify.verify(target)
        return _describe(Path(target), None)
    registry, version = verify.find(target)
    policy = rules.load()
    folder = trust.check_version(registry, version, policy).folder
    if registry.points_at(champion.CHAMPION, version):
        champion.check_alias(registry, version)
        if why := trust.lapsed(registry, version, policy, trust.today()):
            raise InputError(f"{target}: {why}; run `python -m pipeline verify {target}`")
    return _describe(folder, version.number)


def _describe(folder: Path, version: str | None) -> VerifiedBundle:
    path = folder / "report.json"
    report = reports.parse(BundleReport, files.read_json(path), str(path), "bundle")
    return VerifiedBundle(folder, report.labels, report.digest, version)


def open_rows(source: Path, out: Path) -> pq.ParquetFile:
    """Open a Parquet file, checking that its rows can be scored and written to ``out``.

    Raises:
        InputError: naming the file, and the column that is missing, of a wrong type, or already
            there.
    """
    if source.resolve() == out.resolve():
        raise InputError(f"{out}: is the input; name another file to write")
    try:
        rows = parquet.opened(source)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{source}: cannot be read as Parquet ({error})") from error
    schema = rows.schema_arrow
    if TEXT not in schema.names:
        raise InputError(f"{source}: has no column {TEXT!r}; it has {', '.join(schema.names)}")
    kind = schema.field(TEXT).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(f"{source}: the column {TEXT!r} is of {kind}; write it as strings")
    if taken := sorted({*schema.names} & {*ADDED.names}):
        raise InputError(f"{source}: has a column {taken[0]!r}, which scoring adds; rename it")
    return rows


def _chunks(rows: pq.ParquetFile, source: Path) -> Iterator[pa.Table]:
    """Yield the rows in order, `_CHUNK_ROWS` at a time whatever the size of a row group."""
    try:
        for batch in rows.iter_batches(batch_size=_CHUNK_ROWS):
            yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{source}: is damaged ({error}); make it again") from error


def read_texts(chunk: pa.Table, max_chars: int) -> list[tuple[str, str | None]]:
    """Return each row's text, and why it cannot be scored, if so."""
    column = chunk[TEXT]
    binary = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
    return [_read_text(raw, max_chars) for raw in column.cast(binary).to_pylist()]


def _read_text(raw: bytes | None, max_chars: int) -> tuple[str, str | None]:
    if raw is None:
        return "", "the text is null"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "", "the text is not UTF-8"
    if not text.strip():
        return "", "the text is empty"
    if len(text) > max_chars:
        return "", f"the text is longer than {max_chars:,} characters"
    return text, None


def answer(
    texts: list[tuple[str, str | None]], bundle: VerifiedBundle, model: Any
) -> dict[str, list[str | float | None]]:
    """Return the columns of `ADDED`; ``model`` is a `classifier.Classifier`."""
    asked = [row for row, (_, problem) in enumerate(texts) if problem is None]
    said = model.probabilities([texts[row][0] for row in asked])
    labels: list[str | float | None] = [None] * len(texts)
    probabilities = labels.copy()
    for row, shares in zip(asked, said, strict=True):
        place = int(shares.argmax())
        labels[row], probabilities[row] = bundle.labels[place], float(shares[place])
    return {
        "label": labels,
        "probability": probabilities,
        "problem": [problem for _, problem in texts],
        "model_digest": [bundle.digest] * len(texts),
        "model_version": [bundle.version] * len(texts),
    }


def _join_schemas(schema: pa.Schema) -> pa.Schema:
    for field in ADDED:
        schema = schema.append(field)
    return schema


def _join(chunk: pa.Table, answers: dict[str, list[str | float | None]]) -> pa.Table:
    for field in ADDED:
        chunk = chunk.append_column(field, pa.array(answers[field.name], field.type))
    return chunk
