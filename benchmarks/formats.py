"""Size, latency, accuracy and gaps of the model, its other formats, and smaller models cut from it.

Everything is made from a workspace in which `dvc repro` has run, by the stages themselves, in a
temporary folder: the encoder of build/pretrain and the students cut from it get their own features,
head, evaluation and formats, on the same draw of the workspace's rows. Latency is of one text at a
time, each model in turn, as a ratio to the first. Gaps are the audit's by gender, with the upper
bound of their interval.
"""

import contextlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import torch
import yaml

from benchmarks.lockstep import spread
from pipeline import layout, params, reports
from pipeline.adapters import rows
from pipeline.encoder import classifier, onnx_format
from pipeline.encoder.classifier import Classifier
from pipeline.measure.intervals import Bootstrap
from pipeline.reports import Estimate, Gap
from pipeline.stages import compress, evaluate, export, features, finetune
from pipeline.stages._shipped import shipped_model, shipped_tokenizer
from pipeline.stages.audits import columns, groups
from pipeline.stages.audits.tested import read_tested
from pipeline.stages.page import figures
from pipeline.track import Silent

KEPT = {"train": 600, "validation": 200, "test": 500}  # rows: they are in the order of a hash
STUDENTS = {
    "student, 3 layers": {"method": "distil"},
    "half the feed-forward units": {"method": "prune"},
}
TOKENS = 8192  # that a student learns from its teacher
TIMED_TEXTS, ROUNDS = 16, 5
_GAPS = "gap by gender: accuracy; true positives; false positives"
_COLUMNS = f"| model | MB | latency / torch | accuracy | less torch's | {_GAPS} |"


@dataclass(frozen=True)
class Variant:
    """A model on the test rows."""

    name: str
    size_bytes: int
    accuracy: Estimate
    difference: Estimate | None  # from the evaluated model it was made of
    gaps: Sequence[Gap]
    model: Classifier


def compare() -> list[str]:
    """Make and measure every model; return a Markdown table."""
    root = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _lay_out(root)
        variants = _measure("torch, float32", {"method": "none"}, ("onnx", "int8"))
        for name, changes in STUDENTS.items():
            variants += _measure(name, changes, ())
        ratios = _latencies(variants, rows.read_split("test").texts[:TIMED_TEXTS])
    lines = [_setting(), "", _COLUMNS, "|---|---|---|---|---|---|"]
    for variant in variants:
        less = "" if variant.difference is None else figures.value(variant.difference)
        cells = [variant.name, f"{variant.size_bytes / 1e6:.1f}", str(spread(ratios[variant.name]))]
        cells += [figures.value(variant.accuracy), less, _show(variant.gaps)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _setting() -> str:
    threads, kept = torch.get_num_threads(), KEPT
    return (
        f"{threads} threads; {kept['train']} training and {kept['test']} test rows; students learn "
        f"from {TOKENS} tokens; latency over {TIMED_TEXTS} texts, median (least to greatest) of "
        f"{ROUNDS} rounds"
    )


def _lay_out(root: Path) -> None:
    """Copy what the stages read to the working directory, with fewer rows."""
    for name in (layout.PARAMS, layout.POLICY):
        shutil.copy(root / name, name)
    raw = yaml.safe_load(layout.PARAMS.read_text())
    raw["size"] = "default"
    raw["compress"]["tokens"] = TOKENS
    raw["pretrain"]["heldout_sequences"] = 16
    raw["evaluate"]["resamples"] = raw["audit"]["resamples"] = 500
    layout.PARAMS.write_text(yaml.safe_dump(raw))
    for stage in ("pretrain", "tokenise"):
        shutil.copytree(root / layout.stage_dir(stage), layout.stage_dir(stage))
    for part, count in KEPT.items():
        rows.split_path(part).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pq.read_table(root / rows.split_path(part))[:count], rows.split_path(part))
    shutil.copy(root / layout.report_path("split"), layout.report_path("split"))


def _measure(name: str, changes: dict[str, str], formats: tuple[str, ...]) -> list[Variant]:
    """Run the stages from compress to export; return the model and its formats."""
    sections, track = params.load(), Silent()
    reports.write("compress", compress.run(sections.compress.model_copy(update=changes), track))
    reports.write("features", features.run(sections.features, track))
    reports.write("finetune", finetune.run(sections.finetune, track))
    reports.write("evaluate", evaluate.run(sections.evaluate, track))
    report = export.run(sections.export.model_copy(update={"formats": formats}), track)
    evaluated = reports.read(reports.EvaluateReport).model.accuracy
    model, tokenizer = shipped_model(reports.read(reports.FinetuneReport)), shipped_tokenizer()
    size = sum(weights.nbytes for weights in model.state_dict().values())
    asked = classifier.from_model(model, tokenizer)
    variants = [Variant(name, size, evaluated, None, _gaps(), asked)]
    for made in report.formats:
        path, alone = export.OUT / made.file, made.format == "int8"
        asked = onnx_format.load_onnx(path, tokenizer, asked.labels, one_at_a_time=alone)
        difference = made.versus.difference
        variants.append(
            Variant(made.format, made.size_bytes, made.accuracy, difference, made.gaps, asked)
        )
    return variants


def _gaps() -> Sequence[Gap]:
    section, tested = params.load().audit, read_tested()
    bootstrap = Bootstrap(section.confidence, section.resamples, section.seed)
    chosen = columns.read_columns(section, tested)
    return groups.compare_groups(tested, chosen, section, bootstrap)[1]


def _show(gaps: Sequence[Gap]) -> str:
    shown = [gap for gap in gaps if gap.column == "gender" and gap.metric != "selection_rate"]
    return "; ".join(figures.value(gap.gap, 2) for gap in shown)


def _latencies(variants: Sequence[Variant], texts: Sequence[str]) -> dict[str, list[float]]:
    """Return each variant's time over the first's, a value a round."""
    rounds = [
        {variant.name: _seconds(variant.model, texts) for variant in variants}
        for _ in range(ROUNDS + 1)
    ]
    first = variants[0].name
    return {v.name: [each[v.name] / each[first] for each in rounds[1:]] for v in variants}


def _seconds(model: Classifier, texts: Sequence[str]) -> float:
    """Return the median seconds of a text."""
    spent = []
    for text in texts:
        started = time.perf_counter()
        model.probabilities([text])
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)
