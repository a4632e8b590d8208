"""Export: off by itself; each format measured on the test rows as the model was, and bundled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trained

from pipeline import files, layout, params, reports
from pipeline.encoder import onnx_format
from pipeline.encoder.classifier import Classifier
from pipeline.errors import InputError
from pipeline.measure.intervals import Bootstrap
from pipeline.params import ExportParams
from pipeline.reports import ExportReport
from pipeline.stages import bundle, export
from pipeline.stages.audits import columns, groups
from pipeline.stages.audits.tested import read_tested
from pipeline.track import Silent

OUT = layout.stage_dir("export")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trained.build_world(tmp_path_factory.mktemp("export"), evaluated=True)
    config = folder / layout.PARAMS
    config.write_text(config.read_text().replace("resamples: 2000", "resamples: 100"))
    return folder


@pytest.fixture(autouse=True)
def _inside(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)


class Metrics(Silent):
    """Keeps the metrics."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def metrics(self, values: Any, step: int) -> None:  # noqa: ARG002
        self.values |= values


def _export(*formats: Any, track: Silent | None = None) -> ExportReport:
    report = export.run(ExportParams(formats=formats), track or Silent())
    reports.write("export", report)
    return report


def test_with_no_format_only_the_report_is_written() -> None:
    _export("onnx")
    assert _export() == ExportReport(torch_bytes=None, formats=())
    assert [path.name for path in OUT.iterdir()] == ["report.json"]


def test_each_format_is_measured_on_the_test_rows_as_the_model_was() -> None:
    track = Metrics()
    report = _export("onnx", "int8", track=track)
    tested = read_tested()
    section = params.load().audit
    for made in report.formats:
        path = OUT / made.file
        assert made.digest == files.sha256_file(path)
        assert made.size_bytes == path.stat().st_size
        assert made.difference_texts == made.accuracy.n == made.versus.difference.n == 150
        assert {gap.column for gap in made.gaps} >= set(section.groups)
    same, other = report.formats
    assert (same.format, other.format) == ("onnx", "int8")
    assert same.difference < 1e-5 < other.difference
    assert same.accuracy.point == pytest.approx(tested.outcomes.correct.mean())
    assert same.versus.difference.point == 0
    assert set(track.values) == {"onnx_latency_ratio", "int8_latency_ratio"}
    assert "latency" not in report.model_dump_json()


def test_the_gaps_of_a_format_with_the_same_answers_are_the_audits() -> None:
    """Of the float32 format the labels are the model's, so that every figure must be."""
    section, tested = params.load().audit, read_tested()
    chosen = columns.read_columns(section, tested)
    _, audited = groups.compare_groups(tested, chosen, section, Bootstrap(0.95, 100, 1))
    assert _export("onnx").formats[0].gaps == audited


def test_float32_that_is_not_the_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def exchanged(*arguments: Any, **how: Any) -> Classifier:
        loaded = load_onnx(*arguments, **how)
        return Classifier(2, lambda texts, progress: -loaded.score(texts, progress))

    load_onnx = onnx_format.load_onnx
    monkeypatch.setattr(onnx_format, "load_onnx", exchanged)
    with pytest.raises(InputError, match=r"differ by .* from the evaluated model's"):
        _export("onnx")


def test_a_format_that_answers_otherwise_is_judged_by_its_own_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that gives everybody the first label: no group is selected more often than another."""

    def constant(path: Path, *arguments: Any, **how: Any) -> Classifier:
        loaded = load_onnx(path, *arguments, **how)
        if "int8" not in path.name:
            return loaded
        return Classifier(2, lambda texts, _progress: np.tile([5.0, 0.0], (len(texts), 1)))

    load_onnx = onnx_format.load_onnx
    monkeypatch.setattr(onnx_format, "load_onnx", constant)
    outcomes = read_tested().outcomes
    made = _export("onnx", "int8").formats[1]
    assert made.accuracy.point == pytest.approx((outcomes.labels == 0).mean())
    lost = (outcomes.labels == 0).mean() - outcomes.correct.mean()
    assert made.versus.difference.point == pytest.approx(lost)
    selected = [gap.gap.point for gap in made.gaps if gap.metric == "selection_rate"]
    assert {point for point in selected if point is not None} == {0.0}


def test_a_file_that_is_not_what_was_measured_is_not_bundled() -> None:
    report = _export("onnx")
    path = OUT / report.formats[0].file
    bundle._copy_exports()
    assert (layout.stage_dir("bundle") / report.formats[0].file).read_bytes() == path.read_bytes()
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"model\.onnx: changed since it was measured"):
        bundle._copy_exports()


def test_int8_without_onnx_is_refused_in_params() -> None:
    with pytest.raises(ValueError, match="int8 is made from onnx"):
        ExportParams(formats=("int8",))


def test_differences_of_exported_formats_are_finite() -> None:
    report = _export("onnx", "int8")
    assert all(np.isfinite(made.difference) for made in report.formats)
