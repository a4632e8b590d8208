"""Reports: JSON and back, and what is no figure."""

import json
from pathlib import Path

import pytest
import report_factory
import yaml

from pipeline import files, layout, reports
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


def test_what_dvc_shows_as_metrics_is_written_with_the_reports_and_is_theirs() -> None:
    made = report_factory.write()
    dvc = yaml.safe_load((Path(__file__).parents[1] / "dvc.yaml").read_text())
    wanted = [layout.metrics_path(stage) for stage in made if reports.headline(made[stage])]
    assert dvc["metrics"] == [path.as_posix() for path in wanted]
    shown = {name: figure for path in wanted for name, figure in files.read_json(path).items()}
    evaluated, audited = reports.read(reports.EvaluateReport), reports.read(reports.AuditReport)
    assert shown["final_loss"] == reports.read(reports.PretrainReport).final_loss
    assert shown["accuracy"] == evaluated.model.accuracy.point
    assert shown["versus.tfidf"] == evaluated.versus["tfidf"].difference.point
    for gap in audited.gaps:
        assert shown[f"gap.{gap.column}.{gap.metric}"] == gap.gap.point
    assert shown["flip.gender_swap"] == audited.counterfactuals[0].flip_rate.point
    assert len(shown) < 30


def test_rows_set_aside_and_warnings_are_told_at_once() -> None:
    outcome = {"table": "labelled", "unexpected": 1, "checked": 9, "passed": False}
    found = tuple(
        reports.Expectation(name=name, severity=severity, detail=f"of {name}", **outcome)
        for name, severity in (("label_balance", "warn"), ("empty_text", "quarantine"))
    )
    kept = TABLE.model_copy(update={"rows_quarantined": 0})
    told = VALIDATE.model_copy(update={"expectations": found, "labelled": kept})
    aside, warning = reports.remarks(told)
    assert aside.startswith("corpus: 1 of 3 rows set aside, ")
    assert aside.endswith(" build/validate/quarantine.parquet")
    assert warning == "labelled: label_balance: of label_balance"
    assert not list(reports.remarks(report_factory.make()["split"]))


def test_what_is_undefined_is_no_metric() -> None:
    made = report_factory.make()["evaluate"]
    assert isinstance(made, reports.EvaluateReport)
    nothing = reports.Estimate(point=None, low=None, high=None, n=0, note="no rows")
    model = made.model.model_copy(update={"roc_auc": nothing})
    assert "roc_auc" in reports.headline(made)
    assert "roc_auc" not in reports.headline(made.model_copy(update={"model": model}))


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
