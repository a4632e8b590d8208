"""A sequence classifier as ONNX, in float32 and with int8 weights; asked through onnxruntime."""

import re
import tempfile
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
_LAYER = re.compile(r"\blayers?\.(\d+)\b")
_SCOPE = "pkg.torch.onnx.name_scopes"  # of a node's metadata: the modules that it comes from
_BATCH_TOKENS = 4096


class _Logits(nn.Module):
    """A classifier whose answer is the logits alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def write_onnx(model: Any, path: Path) -> None:
    """Write a stock classifier: (B, T) int64 ids and mask to (B, K) logits, any B and T.

    Nothing of where and how it was made is in the file: equal models give equal bytes.
    """
    files.write_bytes(path, _export(model).SerializeToString(deterministic=True))


def write_int8(model: Any, path: Path, layers: int) -> None:
    """Write a classifier with int8 weights, activations quantised as they come (dynamically).

    That is for the embeddings and the first ``layers`` layers, which are the encoder's own: what
    `assemble` adds after them computes a mean by weights of 2^24, which int8 has no room for.
    A matrix's scale is by column. The scale of activations is by batch, so that a text's answer
    depends on the texts beside it; `load_onnx` can ask one at a time.
    """
    made = _export(model, keep_scopes=True)
    kept = [node.name for node in made.graph.node if not _is_inner(node, layers)]
    _forget(made)
    with tempfile.TemporaryDirectory() as work, files.replacing(path) as temporary:
        source = Path(work) / "model.onnx"
        onnx.save(made, source)
        quantize_dynamic(
            source,
            temporary,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            nodes_to_exclude=kept,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def _export(model: Any, keep_scopes: bool = False) -> onnx.ModelProto:
    ids = torch.ones(2, 8, dtype=torch.int64)  # the export asks for more than one of each
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", min=2)
    with quiet_transformers(), torch.no_grad():
        program = torch.onnx.export(
            _Logits(model.cpu()).eval(),
            (ids, ids),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_shapes=({0: rows, 1: tokens}, {0: rows, 1: tokens}),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    made: onnx.ModelProto = program.model_proto
    if not keep_scopes:
        _forget(made)
    return made


def _is_inner(node: onnx.NodeProto, layers: int) -> bool:
    """Whether a node is of the embeddings or of the first ``layers`` layers."""
    scopes = next((each.value for each in node.metadata_props if each.key == _SCOPE), "")
    layer = _LAYER.search(scopes)
    return "embeddings" in scopes if layer is None else int(layer[1]) < layers


def _forget(model: onnx.ModelProto) -> None:
    """Take out what tells of this machine: stack traces with paths, in every node."""
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    for tensor in model.graph.initializer:
        tensor.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")


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
