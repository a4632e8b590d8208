"""The data: what came in, what was set aside and why, and what each split holds."""

from pipeline.reports import Expectation, Split, SplitReport, Table, ValidateReport
from pipeline.stages.page import figures, names, shapes

_OUTCOME = {"error": "the run stops", "quarantine": "rows set aside", "warn": "reported"}


def tables(report: ValidateReport) -> shapes.Table:
    """What came in and what was kept of the corpus and of the labelled rows."""
    return shapes.Table(
        "What came in and what was kept",
        ("Table", "Rows in", "Set aside", "Kept", "Characters kept"),
        (_table("Unlabelled corpus", report.corpus), _table("Labelled rows", report.labelled)),
        numeric=frozenset({1, 2, 3, 4}),
    )


def _table(name: str, table: Table) -> tuple[str, ...]:
    sizes = (table.rows_in, table.rows_quarantined, table.rows_kept, table.characters)
    return (name, *map(figures.count, sizes))


def expectations(report: ValidateReport) -> shapes.Table:
    """Each check on the rows, what failed it, and what became of those rows: failures first."""
    ordered = sorted(report.expectations, key=lambda each: each.passed)
    return shapes.Table(
        "Checks on the rows",
        ("Check", "Result", "Failed it", "What was found"),
        tuple(_expectation(each) for each in ordered),
        numeric=frozenset({2}),
    )


def _expectation(each: Expectation) -> tuple[str, ...]:
    result = "met" if each.passed else f"not met: {_OUTCOME[each.severity]}"
    failed = f"{figures.count(each.unexpected)} of {figures.count(each.checked)}"
    return (f"{names.plain(each.name)}, {each.table}", result, failed, each.detail)


def sources(report: ValidateReport) -> shapes.Table:
    """Documents kept from each source of the corpus, the largest first."""
    ordered = sorted(report.sources.items(), key=lambda item: (-item[1], item[0]))
    return shapes.Table(
        "Where the corpus comes from",
        ("Source", "Documents kept"),
        tuple((source, figures.count(documents)) for source, documents in ordered),
        numeric=frozenset({1}),
    )


def personal_data(report: ValidateReport) -> shapes.Table:
    """Rows, of those that came in, that hold each kind of personal data."""
    return shapes.Table(
        "Personal data in the texts",
        ("Kind", "Where", "Rows"),
        tuple(
            (names.plain(kind), names.plain(table), figures.count(rows))
            for table, found in report.personal_data.items()
            for kind, rows in found.items()
        ),
        numeric=frozenset({2}),
    )


def personal_in_words(report: ValidateReport) -> str:
    """Say in a sentence how many rows hold personal data, by kind."""
    found = [
        f"{names.plain(kind, first=False)}: {figures.plural(rows, 'row')} of the {table} table"
        for table, kinds in report.personal_data.items()
        for kind, rows in kinds.items()
    ]
    return f"Personal data of a checked kind was found in {'; '.join(found) or 'no row'}."


def splits(report: SplitReport) -> tuple[shapes.Table, ...]:
    """Rows a split by label, then by each group column."""
    columns = list(report.train.groups)
    total = _rows("All", [_parts(report)[name].rows for name in _parts(report)])
    labels = _by_value("label", [part.labels for part in _parts(report).values()])
    by_group = [
        _by_value(column, [part.groups.get(column, {}) for part in _parts(report).values()])
        for column in columns
    ]
    first = shapes.Table(labels.caption, labels.columns, (*labels.rows, total), labels.numeric)
    return (first, *by_group)


def _parts(report: SplitReport) -> dict[str, Split]:
    return {"Train": report.train, "Validation": report.validation, "Test": report.test}


def _by_value(column: str, parts: list[dict[str, int]]) -> shapes.Table:
    values = sorted({value for part in parts for value in part})
    return shapes.Table(
        f"Rows by {names.plain(column, first=False)}",
        (names.plain(column), "Train", "Validation", "Test"),
        tuple(_rows(value, [part.get(value, 0) for part in parts]) for value in values),
        numeric=frozenset({1, 2, 3}),
    )


def _rows(name: str, counts: list[int]) -> tuple[str, ...]:
    return (name, *map(figures.count, counts))
