"""Reports: JSON and back, and what is no figure."""

import json
from pathlib import Path

import pytest

from pipeline import reports
from pipeline.errors import InputError

TABLE = reports.Table(rows_in=3, rows_kept=2, rows_quarantined=1, characters=10, digest="0" * 64)
VALIDATE = reports.ValidateReport(
    corpus=TABLE,
    labelled=TABLE,
    expectations=(),
    labels={"a": 2},
    groups={},
    sources={},
    personal_data={},
)


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_report_read_back_equals_the_one_written() -> None:
    reports.write("validate", VALIDATE)
    assert reports.read(reports.ValidateReport) == VALIDATE


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinity_are_not_figures(value: float) -> None:
    with pytest.raises(ValueError, match="use None"):
        reports.Estimate(point=value, low=None, high=None, n=3)


def test_a_stage_out_of_order_is_told_which_to_run_first() -> None:
    with pytest.raises(InputError, match="run `dvc repro validate` first"):
        reports.read(reports.ValidateReport)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda raw: raw.pop("corpus"), "corpus: Field required"),
        (lambda raw: raw.update(extra=1), "extra: Extra inputs"),
        (lambda raw: raw["corpus"].update(rows_in=None), "corpus.rows_in"),
        (lambda raw: raw["corpus"].update(digest=5), "corpus.digest"),
    ],
)
def test_a_report_that_is_not_one_is_refused_by_its_field(change, named: str) -> None:  # type: ignore[no-untyped-def]
    raw = VALIDATE.model_dump(mode="json")
    change(raw)
    Path("build/validate").mkdir(parents=True)
    Path("build/validate/report.json").write_text(json.dumps(raw))
    with pytest.raises(InputError, match=named):
        reports.read(reports.ValidateReport)
