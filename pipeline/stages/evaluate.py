"""Evaluate: the classifier and two baselines on the test rows, with intervals and plots."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline import files, layout, reports
from pipeline import params as settings
from pipeline.adapters import rows
from pipeline.adapters.rows import Rows
from pipeline.encoder import classifier
from pipeline.errors import InputError
from pipeline.measure import baselines, calibration, paired, plots, scores
from pipeline.measure.baselines import Baselines
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.outcomes import Outcomes
from pipeline.params import EvaluateParams
from pipeline.reports import Estimate, EvaluateReport, FinetuneReport, Scores
from pipeline.track import Track

OUT = layout.stage_dir("evaluate")
MODEL = "model"
_CURVE_POINTS = 400


def run(params: EvaluateParams, track: Track) -> EvaluateReport:
    """Write build/evaluate: predictions.parquet and plots/.

    The policy is read before any test row, so that its thresholds cannot depend on the scores. The
    penalty of the TF-IDF baseline and the better baseline are chosen on validation rows.

    Raises:
        InputError: where policy.yaml or the output of an earlier stage is missing.
    """
    policy_digest = _policy_digest()
    labels = reports.read(FinetuneReport).labels
    rivals = _fit_baselines(params, len(labels))
    test = rows.read_split("test")
    track.dataset("test", rows.split_path("test"), len(test.ids), test.digest)
    answers = _ask(test, labels, rivals, track)
    scored = _score(answers, test, params)
    _write_predictions(test, answers)
    _write_plots(answers[MODEL], scored[MODEL], params.calibration_bins)
    track.metrics(_headline(scored[MODEL]), step=0)
    return EvaluateReport(
        test_rows=len(test.ids),
        test_digest=test.digest,
        policy_digest=policy_digest,
        model=scored[MODEL],
        baselines={name: scored[name] for name in baselines.NAMES},
        better_baseline=rivals.better,
        versus={
            name: paired.compare(
                name, answers[MODEL].correct, answers[name].correct, params.confidence
            )
            for name in baselines.NAMES
        },
    )


def _policy_digest() -> str:
    if not layout.POLICY.is_file():
        raise InputError(
            f"{layout.POLICY}: not found, and thresholds are fixed before the test; "
            "restore it from git"
        )
    return files.sha256_file(layout.POLICY)


def _fit_baselines(params: EvaluateParams, labels: int) -> Baselines:
    train, validation = rows.read_split("train"), rows.read_split("validation")
    return baselines.fit(
        (train.texts, train.labels), (validation.texts, validation.labels), labels, params.tfidf_c
    )


def _ask(test: Rows, labels: Sequence[str], rivals: Baselines, track: Track) -> dict[str, Outcomes]:
    """Return the answers of the model and of its rivals, by name."""
    model = classifier.load(
        layout.encoder_dir(), layout.stage_dir("finetune"), settings.load().features
    )
    said = model.probabilities(test.texts, lambda done, n: track.progress(done, n, "texts"))
    tables = {MODEL: said, **rivals.probabilities(test.texts)}
    return {name: Outcomes(test.labels, table, labels) for name, table in tables.items()}


def _score(
    answers: Mapping[str, Outcomes], test: Rows, params: EvaluateParams
) -> dict[str, Scores]:
    bootstrap = Bootstrap(params.confidence, params.resamples, params.seed)
    return {
        name: scores.score(outcomes, test.groups, params.calibration_bins, bootstrap)
        for name, outcomes in answers.items()
    }


def _headline(scored: Scores) -> dict[str, float]:
    """Return the defined figures that the tracker shows in its tables."""
    figures = {
        "accuracy": scored.accuracy.point,
        "macro_f1": scored.macro_f1.point,
        "roc_auc": scored.roc_auc.point,
        "brier": scored.brier.point,
        "ece": scored.ece.point,
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def _write_predictions(test: Rows, answers: Mapping[str, Outcomes]) -> None:
    model = answers[MODEL]
    columns = {
        "id": test.ids,
        "label": test.labels,
        "predicted": model.predicted,
        **{f"probability_{k}": column for k, column in enumerate(model.probabilities.T)},
        **{name: answers[name].predicted for name in baselines.NAMES},
        **test.groups,
    }
    rows.write_table(OUT / "predictions.parquet", columns)


def _write_plots(model: Outcomes, scored: Scores, bins: int) -> None:
    """Draw the model's plots, and write the same figures as CSV for ``dvc plots``."""
    folder = OUT / "plots"
    reliable = calibration.reliability(model.labels, model.probabilities, bins)
    curves = scores.roc_curves(model, _CURVE_POINTS)
    accuracies = {"all": scored.accuracy} | {
        f"{column}: {value}": accuracy
        for column, values in scored.per_group.items()
        for value, accuracy in values.items()
    }
    figures = {
        "confusion": plots.confusion(scored.confusion, model.names),
        "reliability": plots.reliability(reliable),
        "roc": plots.roc(curves),
        "groups": plots.intervals(accuracies, "accuracy"),
    }
    names = np.array(model.names)
    tables: dict[str, dict[str, Any]] = {
        "confusion": {"actual": names[model.labels], "predicted": names[model.predicted]},
        "reliability": vars(reliable),
        "roc": _curve_table(curves),
        "groups": {"group": list(accuracies), **_columns(list(accuracies.values()))},
    }
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.svg")
        rows.write_csv(folder / f"{name}.csv", tables[name])


def _curve_table(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    return {
        "label": [name for name, (false_rates, _) in curves.items() for _ in false_rates],
        "false_positive_rate": np.concatenate([np.empty(0), *(c[0] for c in curves.values())]),
        "true_positive_rate": np.concatenate([np.empty(0), *(c[1] for c in curves.values())]),
    }


def _columns(estimates: Sequence[Estimate]) -> dict[str, Any]:
    return {
        "accuracy": [estimate.point for estimate in estimates],
        "low": [estimate.low for estimate in estimates],
        "high": [estimate.high for estimate in estimates],
        "rows": [estimate.n for estimate in estimates],
    }
