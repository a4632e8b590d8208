"""A sequence classifier as ONNX, in float32 and with int8 weights, run by onnxruntime."""

import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from pipeline import files
from pipeline.encoder.classifier import Classifier
from pipeline.encoder.features import Progress, run_batches, tokenise
from pipeline.encoder.loading import quiet_transformers

INPUTS, OUTPUT = ("input_ids", "attention_mask"), "logits"
_INNER = re.compile(r"\bembeddings\b|\blayers?\.\d+\b")
_SCOPE = "pkg.torch.onnx.name_scopes"  # of a node's metadata: the modules that it comes from
_BATCH_TOKENS = 4096


class _Logits(nn.Module):
    """A stock sequence classifier whose answer is the logits alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, K) of ids and mask (B, T)."""
        said = self.model(input_ids=input_ids, attention_mask=attention_mask)
        logits: torch.Tensor = said.logits
        return logits


def to_onnx(model: Any) -> onnx.ModelProto:
    """Return a stock sequence classifier as ONNX: (B, T) int64 ids and mask to (B, K) logits.

    B and T are free, but T is at least 2: the special tokens.
    """
    # Two tensors: given one tensor twice, torch.export would make a single input of it.
    ids = torch.ones(2, 8, dtype=torch.int64)  # the export needs more than one row and token
    mask = torch.ones_like(ids)
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", min=2)
    with quiet_transformers(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch's own deprecations, and names of axes
        program = torch.onnx.export(
            _Logits(model.cpu().eval()),
            (ids, mask),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_shapes=({0: rows, 1: tokens}, {0: rows, 1: tokens}),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    exported: onnx.ModelProto = program.model_proto
    return exported


def write_onnx(exported: onnx.ModelProto, path: Path) -> None:
    """Write what `to_onnx` made, without anything about where and how it was made."""
    files.write_bytes(path, _bare(exported).SerializeToString(deterministic=True))


def write_int8(exported: onnx.ModelProto, path: Path) -> None:
    """Write what `to_onnx` made with int8 weights; activations are quantised dynamically.

    This applies to the embeddings and the encoder's layers, with a scale for each column of a
    matrix; the head stays in float32. Activations have one scale per batch, so a text's answer
    depends on the texts beside it; `load_onnx` can therefore run one text at a time.
    """
    kept = [node.name for node in exported.graph.node if not _is_inner(node)]
    with tempfile.TemporaryDirectory() as work, files.replacing(path) as temporary:
        source = Path(work) / "model.onnx"
        onnx.save(_bare(exported), source)
        quantize_dynamic(
            source,
            temporary,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            nodes_to_exclude=kept,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def _is_inner(node: onnx.NodeProto) -> bool:
    """Whether a node is of the embeddings or of the encoder's layers."""
    scopes = next((each.value for each in node.metadata_props if each.key == _SCOPE), "")
    return _INNER.search(scopes) is not None


def _bare(exported: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy without traces of this machine: every node has stack traces with paths."""
    model = onnx.ModelProto()
    model.CopyFrom(exported)
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    for tensor in model.graph.initializer:
        tensor.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    return model


def load_onnx(path: Path, tokenizer: Any, labels: int, one_at_a_time: bool = False) -> Classifier:
    """Load what `write_onnx` or `write_int8` wrote; texts are cut as the tokenizer says.

    ``one_at_a_time`` makes each answer a function of its text alone.
    """
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def forward(ids: torch.Tensor) -> torch.Tensor:
        batch = ids.numpy()
        given = dict(zip(INPUTS, (batch, np.ones_like(batch)), strict=True))
        return torch.from_numpy(session.run([OUTPUT], given)[0])

    def score(texts: Any, progress: Progress | None) -> np.ndarray:
        ids = tokenise(texts, tokenizer, tokenizer.model_max_length).ids
        return run_batches(forward, ids, 1 if one_at_a_time else _BATCH_TOKENS, progress)

    return Classifier(labels, score)
