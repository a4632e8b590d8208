"""Great Expectations: suites over columns that are already computed, and their Data Docs.

pipeline/text decides what a row must be. Here each expectation is stated to Great Expectations,
evaluated on the columns, and shown. No object of that library leaves this module.
"""

import datetime
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import files, telemetry

# Data Docs name pages by the time of the run; one fixed time keeps the names the same.
_RUN_TIME = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_OFFLINE = (
    """<meta http-equiv="Content-Security-Policy" """
    """content="default-src 'self' file: data: 'unsafe-inline'">"""
)


@dataclass(frozen=True)
class Rule:
    """One expectation of a column: its Great Expectations type and arguments."""

    kind: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a rule."""

    passed: bool
    unexpected: int  # values that break it


def never(column: str) -> Rule:
    """Expect a column of flags to be False throughout."""
    return Rule("ExpectColumnValuesToBeInSet", {"column": column, "value_set": [False]})


def not_null(column: str) -> Rule:
    """Expect a column to have no null."""
    return Rule("ExpectColumnValuesToNotBeNull", {"column": column})


def between(column: str, low: float | None = None, high: float | None = None) -> Rule:
    """Expect each value that is not null to be within these limits, inclusive."""
    limits = {"min_value": low, "max_value": high}
    return Rule("ExpectColumnValuesToBeBetween", {"column": column, **limits})


def in_set(column: str, values: tuple[str, ...]) -> Rule:
    """Expect each value to be one of these."""
    return Rule("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})


class Suites:
    """Evaluates suites in memory; their Data Docs are written at the end."""

    def __init__(self) -> None:
        telemetry.switch_off()
        import great_expectations
        from great_expectations.data_context.types.base import ProgressBarsConfig

        self._gx = great_expectations
        self._context = great_expectations.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)

    def evaluate(
        self, name: str, columns: Mapping[str, Any], rules: Mapping[str, Rule]
    ) -> dict[str, Outcome]:
        """Evaluate named rules on a table's columns, arrays of one length."""
        source = self._context.data_sources.add_pandas(name)
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
        suite = self._context.suites.add(self._gx.ExpectationSuite(name=name))
        for rule_name, rule in rules.items():
            kind = getattr(self._gx.expectations, rule.kind)
            suite.add_expectation(kind(**rule.arguments, meta={"name": rule_name}))
        definition = self._context.validation_definitions.add(
            self._gx.ValidationDefinition(name=name, data=batch, suite=suite)
        )
        checkpoint = self._gx.Checkpoint(name=name, validation_definitions=[definition])
        found = self._context.checkpoints.add(checkpoint).run(
            batch_parameters={"dataframe": pd.DataFrame(columns)},
            run_id=self._gx.RunIdentifier(run_name=name, run_time=_RUN_TIME),
        )
        (validation,) = found.run_results.values()
        return dict(_outcome(result) for result in validation.results)

    def write_docs(self, folder: Path) -> None:
        """Write the Data Docs of all that was evaluated to ``folder``, replacing what is there.

        Great Expectations lets a page load Bootstrap, fonts and its logo from other hosts. Here a
        page may load only its own files: no host learns that it was opened, and it looks the same
        without a network. The index that they generate is empty then, so one is made here.
        """
        shutil.rmtree(folder, ignore_errors=True)
        site = {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder.absolute()),
            },
        }
        self._context.add_data_docs_site("charter", site)
        self._context.build_data_docs(site_names=["charter"])
        for page in folder.rglob("*.html"):
            files.write_text(page, page.read_text().replace("<head>", f"<head>{_OFFLINE}", 1))
        files.write_text(folder / "index.html", _index(folder))


def _index(folder: Path) -> str:
    """Return a page with links to the pages of the validations."""
    pages = sorted(page.relative_to(folder) for page in (folder / "validations").rglob("*.html"))
    items = "".join(f'<li><a href="{page}">{page.parts[1]}</a></li>' for page in pages)
    return f"<!DOCTYPE html><title>Data Docs</title><h1>Data Docs</h1><ul>{items}</ul>"


def _outcome(result: Any) -> tuple[str, Outcome]:
    """Read one result; a rule that could not be evaluated is our own mistake, not the data's."""
    assert "unexpected_count" in result.result, result.exception_info
    outcome = Outcome(bool(result.success), int(result.result["unexpected_count"]))
    return result.expectation_config.meta["name"], outcome
