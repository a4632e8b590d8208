"""Making and measuring the formats of the stage export."""

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import files, reports
from pipeline import params as settings
from pipeline.adapters import rows
from pipeline.encoder import classifier, onnx_format
from pipeline.encoder.classifier import Classifier
from pipeline.errors import InputError
from pipeline.measure import paired
from pipeline.measure.intervals import Bootstrap, wilson
from pipeline.measure.outcomes import Outcomes
from pipeline.params import ExportParams
from pipeline.reports import Exported, ExportReport, FinetuneReport
from pipeline.stages._shipped import MAX_DIFFERENCE, shipped_model, shipped_tokenizer
from pipeline.stages.audits import columns, groups
from pipeline.stages.audits.tested import Tested, read_tested
from pipeline.track import Track

FILES = {"onnx": "onnx/model.onnx", "int8": "onnx/model_int8.onnx"}  # as the hub names them
_WRITE = {"onnx": onnx_format.write_onnx, "int8": onnx_format.write_int8}
_TIMED_TEXTS, _TIMED_ROUNDS = 32, 5


def make(params: ExportParams, out: Path, track: Track) -> ExportReport:
    """Write every format below ``out``, and measure each on the test rows.

    Raises:
        InputError: as `pipeline.stages.export.run`.
    """
    finetuned, tested = reports.read(FinetuneReport), read_tested()
    model, tokenizer = shipped_model(finetuned), shipped_tokenizer()
    torch_bytes = sum(weights.nbytes for weights in model.state_dict().values())
    loaded = {"torch": classifier.from_model(model, tokenizer)}
    exported, measured = onnx_format.to_onnx(model), []
    for name in params.formats:
        path = out / FILES[name]
        _WRITE[name](exported, path)
        loaded[name] = onnx_format.load_onnx(
            path, tokenizer, len(finetuned.labels), one_at_a_time=name == "int8"
        )
        measured.append(_measure(name, path, loaded[name], tested, track))
    track.metrics(_latencies(loaded), step=0)
    return ExportReport(torch_bytes=torch_bytes, formats=tuple(measured))


def _measure(name: Any, path: Path, model: Classifier, tested: Tested, track: Track) -> Exported:
    params = settings.load().audit
    bootstrap = Bootstrap(params.confidence, params.resamples, params.seed)
    evaluated = tested.outcomes
    said = model.probabilities(tested.texts, lambda done, n: track.progress(done, n, "texts"))
    answers = Outcomes(evaluated.labels, said, evaluated.names)
    difference = float(np.abs(said - evaluated.probabilities).max())
    if name == "onnx" and not difference <= MAX_DIFFERENCE:
        raise InputError(
            f"{path}: probabilities differ by {difference:.1e} from the evaluated model's; "
            "set export.formats to []"
        )
    again = Tested(tested.texts, answers, tested.groups)
    _, gaps = groups.compare_groups(again, columns.read_columns(params, again), params, bootstrap)
    return Exported(
        format=name,
        file=FILES[name],
        digest=files.sha256_file(path),
        size_bytes=path.stat().st_size,
        difference=difference,
        difference_texts=len(tested.texts),
        accuracy=wilson(int(answers.correct.sum()), len(tested.texts), params.confidence),
        versus=paired.compare("torch", answers.correct, evaluated.correct, params.confidence),
        gaps=gaps,
    )


def _latencies(models: Mapping[str, Classifier]) -> dict[str, float]:
    """Return each format's time for one text divided by torch's: the median over rounds."""
    texts = rows.read_split("validation").texts[:_TIMED_TEXTS]
    rounds = [
        {name: _seconds(model, texts) for name, model in models.items()}
        for _ in range(_TIMED_ROUNDS)
    ]
    return {
        f"{name}_latency_ratio": statistics.median(each[name] / each["torch"] for each in rounds)
        for name in models
        if name != "torch"
    }


def _seconds(model: Classifier, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    for text in texts:
        model.probabilities([text])
    return time.perf_counter() - started
