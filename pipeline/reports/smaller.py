"""Reports of the stages that make the model smaller, or write it in other formats."""

from typing import Literal

from pipeline.reports.audit import Gap
from pipeline.reports.base import Estimate, Report
from pipeline.reports.model import PairedTest


class CompressReport(Report):
    """Of the stage compress; with method none the encoder stays pretrain's. Losses as there."""

    method: Literal["none", "distil", "prune"]
    teacher_digest: str  # equals PretrainReport.encoder_digest
    encoder_digest: str  # of the encoder that the later stages use
    teacher_parameters: int
    parameters: int
    layers: int | None = None  # of the smaller encoder
    intermediate: int | None = None  # its units in the feed-forward half of a layer
    steps: int = 0  # of learning from the teacher
    tokens: int = 0  # seen in these, padding left out
    teacher_loss: float | None = None  # held-out, nats a masked token
    initial_loss: float | None = None  # held-out, of the smaller model as it was cut
    final_loss: float | None = None  # held-out, of the smaller model


class Exported(Report):
    """The model in another format, on the test rows."""

    format: Literal["onnx", "int8"]
    file: str  # path below build/export, and in the bundle
    digest: str  # SHA-256
    size_bytes: int
    difference: float  # largest absolute difference of a probability from the evaluated model's
    difference_texts: int
    accuracy: Estimate
    versus: PairedTest  # the evaluated model, in float32 by torch
    gaps: tuple[Gap, ...]  # as audit's, of this format's answers


class ExportReport(Report):
    """Of the stage export."""

    torch_bytes: int | None  # of model.safetensors; None where nothing was exported
    formats: tuple[Exported, ...]
