"""Against scikit-learn on the predictions file, the classifier itself, and changed inputs."""

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trained
import yaml
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score

from pipeline import files, layout, params, reports
from pipeline.adapters import rows
from pipeline.encoder import classifier
from pipeline.errors import InputError
from pipeline.params import EvaluateParams
from pipeline.reports import EvaluateReport, SplitReport
from pipeline.stages import evaluate
from pipeline.track import Silent

OUT = layout.stage_dir("evaluate")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained.build_world(tmp_path_factory.mktemp("trained"))


def section() -> EvaluateParams:
    return params.load().evaluate.model_copy(update={"resamples": 200})


def run() -> EvaluateReport:
    return evaluate.run(section(), Silent())


def change(part: str, **columns: Any) -> None:
    table = pq.read_table(rows.split_path(part))
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, rows.split_path(part))


def test_the_policy_is_read_before_any_test_row(here: Path) -> None:
    """With neither file there, it is the policy that is missed first."""
    rows.split_path("test").unlink()
    (here / "policy.yaml").rename(here / "kept.yaml")
    with pytest.raises(InputError, match=r"^policy\.yaml: not found"):
        run()
    (here / "kept.yaml").rename(here / "policy.yaml")
    with pytest.raises(InputError, match=r"test\.parquet: not found"):
        run()


@pytest.mark.usefixtures("here")
def test_figures_are_those_of_the_predictions_file() -> None:
    report = run()
    found = pq.read_table(OUT / "predictions.parquet").to_pydict()
    labels, predicted = found["label"], found["predicted"]
    assert report.test_rows == len(labels) == trained.SIZES["test"]
    assert report.model.accuracy.point == pytest.approx(accuracy_score(labels, predicted))
    assert report.model.roc_auc.point == pytest.approx(
        roc_auc_score(labels, found["probability_1"])
    )
    assert [list(line) for line in report.model.confusion] == confusion_matrix(
        labels, predicted
    ).tolist()
    for name in ("majority", "tfidf"):
        assert report.baselines[name].accuracy.point == pytest.approx(
            accuracy_score(labels, found[name])
        )
        difference = accuracy_score(labels, predicted) - accuracy_score(labels, found[name])
        assert report.versus[name].difference.point == pytest.approx(difference)
    film = np.array(found["domain"]) == "film"
    assert report.model.per_group["domain"]["film"].point == pytest.approx(
        accuracy_score(np.array(labels)[film], np.array(predicted)[film])
    )
    assert report.model.accuracy.point > report.baselines["majority"].accuracy.point


@pytest.mark.usefixtures("here")
def test_predictions_are_the_classifiers_in_the_order_of_the_split() -> None:
    report = run()
    test = rows.read_split("test")
    found = pq.read_table(OUT / "predictions.parquet")
    model = classifier.load(
        layout.stage_dir("pretrain"), layout.stage_dir("finetune"), params.load().features
    )
    table = model.probabilities(test.texts)
    assert found["id"].to_pylist() == list(test.ids) == sorted(test.ids)
    assert found["probability_0"].to_numpy() == pytest.approx(table[:, 0])
    assert found["predicted"].to_pylist() == table.argmax(axis=1).tolist()
    assert {"domain", "gender"} < set(found.column_names)
    assert report.test_digest == reports.read(SplitReport).test.digest
    assert report.policy_digest == files.sha256_file(layout.POLICY)


@pytest.mark.usefixtures("here")
def test_test_rows_choose_nothing() -> None:
    """With every test label turned round, the baselines say what they said."""
    before = run()
    said = pq.read_table(OUT / "predictions.parquet").to_pydict()
    change("test", label=[1 - label for label in said["label"]])
    after = run()
    turned = pq.read_table(OUT / "predictions.parquet").to_pydict()
    assert before.better_baseline == after.better_baseline == "tfidf"
    for name in ("predicted", "majority", "tfidf"):
        assert turned[name] == said[name]
    assert after.model.accuracy.point == pytest.approx(1 - before.model.accuracy.point)


@pytest.mark.usefixtures("here")
def test_validation_rows_choose_the_better_baseline() -> None:
    """Where every validation label is the commonest of training, majority is never wrong there."""
    commonest = np.bincount(rows.read_split("train").labels).argmax()
    change("validation", label=[int(commonest)] * trained.SIZES["validation"])
    assert run().better_baseline == "majority"


@pytest.mark.usefixtures("here")
def test_equal_inputs_give_equal_bytes() -> None:
    first = run()
    digests = files.sha256_tree(OUT)
    shutil.rmtree(OUT)
    assert run() == first
    assert files.sha256_tree(OUT) == digests


@pytest.mark.usefixtures("here")
def test_dvc_plots_name_files_and_columns_that_are_written() -> None:
    run()
    plots = yaml.safe_load((trained.ROOT / "dvc.yaml").read_text())["plots"]
    named = [
        (path, column, plot["x"])
        for entry in plots
        for plot in entry.values()
        for path, column in plot["y"].items()
        if path.startswith(str(OUT))
    ]
    assert len(named) == 4
    for path, *columns in named:
        with Path(path).open(encoding="utf-8", newline="") as stream:
            assert set(columns) <= set(csv.DictReader(stream).fieldnames or ())
        assert Path(path).with_suffix(".svg").is_file()


def test_a_stage_that_has_not_run_is_named(here: Path) -> None:
    shutil.rmtree(here / layout.stage_dir("finetune"))
    with pytest.raises(InputError, match=r"run `dvc repro finetune`"):
        run()
