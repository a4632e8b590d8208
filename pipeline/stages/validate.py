"""Validate: every row is checked by the expectations, then kept or quarantined, or the run stops.

Files are read twice, to profile the rows and to write those that are kept, so that memory grows
with the number of rows, by some hundred bytes each, and not with their text.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
from pyarrow.parquet import ParquetWriter

from pipeline import layout, reports
from pipeline.adapters import expectations, parquet, sources
from pipeline.errors import InputError
from pipeline.params import ValidateParams
from pipeline.text import aggregates, checks, near, overlap, tables
from pipeline.text.checks import Failures, Table
from pipeline.text.normal import normalise
from pipeline.text.words import I64, Words, split_words
from pipeline.track import Track

FOLDER = layout.stage_dir("validate")
SOURCES = {"corpus": layout.CORPUS, "labelled": layout.LABELLED}
_SHOWN = 20  # rows named in an error
_SHOWN_ROW = {"personal_data": "most"}
_QUARANTINE = pyarrow.schema(
    {
        "table": pyarrow.string(),
        "file": pyarrow.string(),
        "row": pyarrow.int64(),
        "text": pyarrow.string(),
        "reason": pyarrow.string(),
    }
)


@dataclass(frozen=True)
class Checked:
    """A table, its failures, and the table that its leaks are from."""

    table: Table
    failures: Failures
    others: Table | None = None

    def explain(self, check: str, row: int) -> str:
        """Say why a row fails an expectation."""
        return checks.reason(check, self.table, self.failures, row, self.others)

    def explain_all(self, row: int) -> str:
        """Name every expectation that a row fails, with the reason."""
        failed = [check for check, rows in self.failures.rows.items() if rows[row]]
        return "; ".join(f"{check}: {self.explain(check, row)}" for check in failed)


def run(params: ValidateParams, track: Track) -> reports.ValidateReport:
    """Write corpus.parquet, labelled.parquet and quarantine.parquet to build/validate.

    Raises:
        InputError: where an expectation of severity ``error`` fails, naming rows; where a table
            has no row left; or where a file cannot be read.
    """
    checks.refuse_params(params)
    labelled = profile_labelled(params, track)
    corpus = profile_corpus(params, track, labelled)
    found = judge(params, [corpus, labelled], track)
    stop_on_errors(found, [corpus, labelled])
    with parquet.writer(FOLDER / "quarantine.parquet", _QUARANTINE) as quarantine:
        corpus_kept = write_table(corpus, params, track, quarantine)
        labelled_kept = write_table(labelled, params, track, quarantine)
    kept, columns = labelled.failures.kept, labelled.table.columns
    return reports.ValidateReport(
        corpus=corpus_kept,
        labelled=labelled_kept,
        expectations=tuple(found),
        label_names=params.labels,
        labels={label: columns["label"].counts(kept).get(label, 0) for label in params.labels},
        groups={group: columns[group].counts(kept) for group in params.groups},
        sources=corpus.table.columns["source"].counts(corpus.failures.kept),
        personal_data={c.table.name: checks.personal_data(c.table) for c in (corpus, labelled)},
        personal_share={
            c.table.name: checks.personal_share(c.table, c.failures.kept)
            for c in (corpus, labelled)
        },
    )


def profile_labelled(params: ValidateParams, track: Track) -> Checked:
    """Profile the labelled rows."""
    with near.SignatureStore(layout.STATE) as signatures:
        table = tables.profile_labelled(
            _numbered(_read("labelled", params, track)), params, signatures
        )
        return Checked(table, checks.find_failures(table, signatures, params))


def profile_corpus(params: ValidateParams, track: Track, labelled: Checked) -> Checked:
    """Profile the documents, searching them for the words of the labelled rows that are kept."""
    index = overlap.index_runs(_kept_words(labelled, params, track), params.contamination_words)
    with near.SignatureStore(layout.STATE) as signatures:
        rows = _numbered(_read("corpus", params, track))
        table = tables.profile_corpus(rows, params, signatures, index)
        return Checked(table, checks.find_failures(table, signatures, params), labelled.table)


def judge(params: ValidateParams, found: list[Checked], track: Track) -> list[reports.Expectation]:
    """Evaluate the expectations by Great Expectations, keep its Data Docs, return the outcomes."""
    suites = expectations.Suites()
    outcomes: list[reports.Expectation] = []
    for checked in found:
        outcomes += _judge_rows(params, checked, suites)
        outcomes += _judge_aggregates(params, checked, suites)
    suites.write_docs(layout.DATA_DOCS)
    track.artifact(layout.DATA_DOCS)
    return outcomes


def stop_on_errors(outcomes: list[reports.Expectation], found: list[Checked]) -> None:
    """Stop where an expectation of severity ``error`` failed or a table has no row left.

    Raises:
        InputError: with the first rows that failed and why, or what emptied the table.
    """
    tables_by_name = {checked.table.name: checked for checked in found}
    problems = [
        line
        for outcome in outcomes
        if outcome.severity == "error" and not outcome.passed
        for line in _describe(outcome, tables_by_name[outcome.table])
    ]
    for checked in found:
        if not checked.failures.kept.any():
            details = [f"{o.name}: {o.detail}" for o in outcomes if o.unexpected]
            problems += [f"{checked.table.name}: no row is left", *details]
    if problems:
        raise InputError("\n".join(problems))


def _describe(outcome: reports.Expectation, checked: Checked) -> list[str]:
    head = f"{outcome.table}: {outcome.name} failed, and its severity is error: "
    rows = np.flatnonzero(checked.failures.rows.get(outcome.name, np.zeros(0)))
    named = [
        f"  {outcome.table}/{checked.table.place(row)}: {checked.explain(outcome.name, row)}"
        for row in rows[:_SHOWN]
    ]
    more = [f"  and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    count = f"{len(rows)} of {outcome.checked} rows"
    return [head + (count if named else outcome.detail), *named, *more]


def _read(name: str, params: ValidateParams, track: Track) -> Iterator[sources.Batch]:
    """Yield the batches of a table's folder, reporting progress."""
    labelled, folder = name == "labelled", SOURCES[name]
    required = ("text", "label", *params.groups) if labelled else ("text",)
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in sources.list_files(folder)}
    done = 0
    for batch in sources.read(folder, required, ("rating",) if labelled else ("source",)):
        yield batch
        before = sum(size for file, size in sizes.items() if file < batch.file)
        done = max(done, before + batch.read_bytes)
        track.progress(done, sum(sizes.values()), "bytes")


def _numbered(batches: Iterator[sources.Batch]) -> Iterator[tables.NumberedRows]:
    for batch in batches:
        yield batch.file, batch.numbers, batch.rows


def _read_again(
    checked: Checked, params: ValidateParams, track: Track
) -> Iterator[tuple[sources.Batch, int]]:
    """Yield each batch and the number that its first row has in the table."""
    at = 0
    for batch in _read(checked.table.name, params, track):
        yield batch, at
        at += len(batch.rows)


def _kept_words(
    labelled: Checked, params: ValidateParams, track: Track
) -> Iterator[tuple[Words, I64]]:
    for batch, at in _read_again(labelled, params, track):
        rows = np.flatnonzero(labelled.failures.kept[at : at + len(batch.rows)])
        yield split_words([normalise(batch.rows[row]["text"]) for row in rows]), rows + at


def _judge_rows(
    params: ValidateParams, checked: Checked, suites: expectations.Suites
) -> Iterator[reports.Expectation]:
    """Judge the expectations of single rows."""
    table, failed = checked.table, checked.failures.rows
    characters = np.where(table.null, np.nan, table.profile.characters)
    columns = {"characters": characters, **failed}
    if "label" in table.columns:
        columns["label"] = table.columns["label"].strings()
    of_value = {
        "null_text": expectations.not_null("characters"),
        "overlong_text": expectations.between("characters", high=params.max_chars),
        "label_set": expectations.in_set("label", params.labels),
    }
    rules = {check: of_value.get(check, expectations.never(check)) for check in failed}
    results = suites.evaluate(f"{table.name} rows", columns, rules)
    for check, rows in failed.items():
        assert results[check].unexpected == rows.sum(), f"{check}: two counts"
        detail = f"{rows.sum()} of {len(rows)} rows"
        if rows.any():
            shown = checks.worst(check, table, rows)
            detail += f"; {_SHOWN_ROW.get(check, 'first')} {table.place(shown)}: "
            detail += checked.explain(check, shown)
        yield reports.Expectation(
            name=check,
            table=table.name,
            severity=params.severity[check],
            passed=results[check].passed,
            unexpected=int(rows.sum()),
            checked=len(rows),
            detail=detail,
        )


def _judge_aggregates(
    params: ValidateParams, checked: Checked, suites: expectations.Suites
) -> Iterator[reports.Expectation]:
    """Judge the expectations of the kept rows as a whole."""
    table, kept = checked.table, checked.failures.kept
    wanted = checks.expectations_of(table.name, params.severity) if kept.any() else []
    for check in (name for name in wanted if name in checks.OF_A_TABLE):
        found = aggregates.measure(check, table, kept, params)
        names, values = list(found.figures), list(found.figures.values())
        columns = {"name": names, "figure": np.array(values, np.float64)}
        rules = {
            check: expectations.between("figure", low=found.low),
            "defined": expectations.not_null("figure"),
        }
        results = suites.evaluate(f"{table.name} {check}", columns, rules)
        yield reports.Expectation(
            name=check,
            table=table.name,
            severity=params.severity[check],
            passed=results[check].passed and results["defined"].passed,
            unexpected=found.unexpected,
            checked=found.checked,
            detail=found.detail,
        )


def write_table(
    checked: Checked, params: ValidateParams, track: Track, quarantine: ParquetWriter
) -> reports.Table:
    """Write the rows that are kept to TABLE.parquet and the others, with reasons, to quarantine."""
    table, kept = checked.table, checked.failures.kept
    digests = bytearray()  # 8 bytes a row
    with parquet.writer(FOLDER / f"{table.name}.parquet", _schema(table, params)) as writer:
        for batch, at in _read_again(checked, params, track):
            rows = [row for row, keep in zip(batch.rows, kept[at:], strict=False) if keep]
            columns = tables.kept_columns(table, batch.file, rows, params)
            digests += b"".join(_digest(columns, row) for row in range(len(rows)))
            writer.write_table(pyarrow.table(columns, schema=writer.schema))
            aside = _quarantine_columns(checked, batch, at)
            quarantine.write_table(pyarrow.table(aside, schema=_QUARANTINE))
    report = reports.Table(
        rows_in=len(kept),
        rows_kept=int(kept.sum()),
        rows_quarantined=int((~kept).sum()),
        characters=int(table.profile.characters[kept].sum()),
        digest=hashlib.sha256(np.sort(np.frombuffer(digests, ">u8")).tobytes()).hexdigest(),
    )
    track.dataset(table.name, SOURCES[table.name], report.rows_in, report.digest)
    return report


def _schema(table: Table, params: ValidateParams) -> pyarrow.Schema:
    fields = [("id", pyarrow.string()), ("text", pyarrow.string())]
    if table.name == "corpus":
        return pyarrow.schema([*fields, ("source", pyarrow.string())])
    fields += [("label", pyarrow.int64())]
    fields += [(group, pyarrow.string()) for group in params.groups]
    fields += [("rating", pyarrow.float64())] if table.rated else []
    return pyarrow.schema(fields)


def _digest(columns: tables.Columns, row: int) -> bytes:
    label = columns["label"][row] if "label" in columns else ""
    return hashlib.sha256(f"{label}\n{columns['text'][row]}".encode()).digest()[:8]


def _quarantine_columns(checked: Checked, batch: sources.Batch, at: int) -> tables.Columns:
    table, failures = checked.table, checked.failures
    rows = np.flatnonzero(~failures.kept[at : at + len(batch.rows)])
    return {
        "table": [table.name] * len(rows),
        "file": [batch.file] * len(rows),
        "row": [batch.numbers[row] for row in rows],
        "text": [_as_text(batch.rows[row]["text"]) for row in rows],
        "reason": [checked.explain_all(int(row) + at) for row in rows],
    }


def _as_text(value: Any) -> str | None:
    return value if isinstance(value, str | None) else repr(value)
