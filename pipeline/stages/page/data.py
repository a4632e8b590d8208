"""The data: what came in, what was set aside and why, and what each split holds."""

from pipeline.reports import Expectation, Split, SplitReport, Table, ValidateReport
from pipeline.stages.page import figures, names, shapes
from pipeline.stages.page.language import mark, reported, say

_OUTCOME = {
    "error": mark("not met: the run stops"),
    "quarantine": mark("not met: rows set aside"),
    "warn": mark("not met: reported"),
}


def tables(report: ValidateReport) -> shapes.Table:
    """What came in and what was kept of the corpus and of the labelled rows."""
    return shapes.Table(
        say("What came in and what was kept"),
        (say("Table"), say("Rows in"), say("Set aside"), say("Kept"), say("Characters kept")),
        (
            _table(say("Unlabelled corpus"), report.corpus),
            _table(say("Labelled rows"), report.labelled),
        ),
        numeric=frozenset({1, 2, 3, 4}),
    )


def _table(name: str, table: Table) -> tuple[str, ...]:
    sizes = (table.rows_in, table.rows_quarantined, table.rows_kept, table.characters)
    return (name, *map(figures.count, sizes))


def expectations(report: ValidateReport) -> shapes.Table:
    """Each check on the rows, what failed it, and what became of those rows: failures first."""
    ordered = sorted(report.expectations, key=lambda each: each.passed)
    return shapes.Table(
        say("Checks on the rows"),
        (say("Check"), say("Result"), say("Failed it"), say("What was found")),
        tuple(_expectation(each) for each in ordered),
        numeric=frozenset({2}),
    )


def _expectation(each: Expectation) -> tuple[str, ...]:
    result = say("met" if each.passed else _OUTCOME[each.severity])
    failed = say(
        "%(failed)s of %(checked)s",
        failed=figures.count(each.unexpected),
        checked=figures.count(each.checked),
    )
    name = say(
        "%(check)s, %(table)s",
        check=names.plain(each.name),
        table=names.plain(each.table, first=False),
    )
    return (name, result, failed, reported(each.detail))


def sources(report: ValidateReport) -> shapes.Table:
    """Documents kept from each source of the corpus, the largest first."""
    ordered = sorted(report.sources.items(), key=lambda item: (-item[1], item[0]))
    return shapes.Table(
        say("Where the corpus comes from"),
        (say("Source"), say("Documents kept")),
        tuple((source, figures.count(documents)) for source, documents in ordered),
        numeric=frozenset({1}),
    )


def personal_data(report: ValidateReport) -> shapes.Table:
    """How many of the rows that came in contain each kind of personal data."""
    return shapes.Table(
        say("Personal data in the texts"),
        (say("Kind"), say("Where"), say("Rows")),
        tuple(
            (names.plain(kind), names.plain(table), figures.count(rows))
            for table, found in report.personal_data.items()
            for kind, rows in found.items()
        ),
        numeric=frozenset({2}),
    )


def personal_in_words(report: ValidateReport) -> str:
    """Say in a sentence how many rows contain personal data, by kind."""
    found = [
        say(
            "%(kind)s: %(rows)s of the %(table)s table",
            kind=names.plain(kind, first=False),
            rows=figures.plural(rows, "row"),
            table=names.plain(table, first=False),
        )
        for table, kinds in report.personal_data.items()
        for kind, rows in kinds.items()
    ]
    return say(
        "Personal data of a checked kind was found in %(found)s.",
        found=say("; ").join(found) or say("no row"),
    )


def splits(report: SplitReport) -> tuple[shapes.Table, ...]:
    """The rows of each split by label, then by each group column."""
    columns = list(report.train.groups)
    total = _rows(say("All"), [_parts(report)[name].rows for name in _parts(report)])
    labels = _by_value("label", [part.labels for part in _parts(report).values()])
    by_group = [
        _by_value(column, [part.groups.get(column, {}) for part in _parts(report).values()])
        for column in columns
    ]
    first = shapes.Table(labels.caption, labels.columns, (*labels.rows, total), labels.numeric)
    return (first, *by_group)


def _parts(report: SplitReport) -> dict[str, Split]:
    return {
        say("Train"): report.train,
        say("Validation"): report.validation,
        say("Test"): report.test,
    }


def _by_value(column: str, parts: list[dict[str, int]]) -> shapes.Table:
    values = sorted({value for part in parts for value in part})
    return shapes.Table(
        say("Rows by %(column)s", column=names.plain(column, first=False)),
        (names.plain(column), say("Train"), say("Validation"), say("Test")),
        tuple(
            _rows(names.group(value), [part.get(value, 0) for part in parts]) for value in values
        ),
        numeric=frozenset({1, 2, 3}),
    )


def _rows(name: str, counts: list[int]) -> tuple[str, ...]:
    return (name, *map(figures.count, counts))
