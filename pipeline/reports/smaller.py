"""Reports of the stages compress and export."""

from typing import Literal

from pipeline.reports.audit import Gap
from pipeline.reports.base import Estimate, Report
from pipeline.reports.model import PairedTest


class CompressReport(Report):
    """The report of the stage compress; with method none the encoder is pretrain's own."""

    method: Literal["none", "distil", "prune"]
    teacher_digest: str  # equals PretrainReport.encoder_digest
    encoder_digest: str  # of the encoder that the later stages use
    teacher_parameters: int
    parameters: int
    layers: int | None = None  # of the smaller encoder
    intermediate: int | None = None  # its feed-forward units in a layer
    steps: int = 0  # of learning from the teacher
    tokens: int = 0  # in those steps, without padding
    teacher_loss: float | None = None  # held-out, nats per masked token, as the next two
    initial_loss: float | None = None  # held-out, of the smaller model as it was cut
    final_loss: float | None = None  # held-out, of the smaller model


class Exported(Report):
    """The model in another format, on the test rows."""

    format: Literal["onnx", "int8"]
    file: str  # path below build/export, and in the bundle
    digest: str  # SHA-256
    size_bytes: int
    difference: float  # largest difference of a probability from the evaluated model's
    difference_texts: int
    accuracy: Estimate
    versus: PairedTest  # compared with the evaluated model, torch in float32
    gaps: tuple[Gap, ...]  # as in audit, of this format's predictions


class ExportReport(Report):
    """The report of the stage export."""

    torch_bytes: int | None  # of model.safetensors; None where nothing was exported
    formats: tuple[Exported, ...]
