"""A sequence classifier as ONNX, in float32 and with int8 weights; asked through onnxruntime."""

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
from pipeline.encoder.assemble import Pooling
from pipeline.encoder.classifier import Classifier
from pipeline.encoder.features import Progress, run_batches, standardise, tokenise
from pipeline.encoder.head import Head
from pipeline.encoder.loading import quiet_transformers

INPUTS, OUTPUT = ("input_ids", "attention_mask"), "logits"
_INNER = re.compile(r"\bembeddings\b|\blayers?\.\d+\b")
_SCOPE = "pkg.torch.onnx.name_scopes"  # of a node's metadata: the modules that it comes from
_BATCH_TOKENS = 4096


class Headed(nn.Module):
    """A frozen encoder, pooling and head as `features` and `head` define them.

    What `assemble` adds, with weights of 2^24, is left out: asked through onnxruntime 1.32 the
    assembled classifier gave other answers, and int8 has no room for such weights.
    """

    def __init__(self, encoder: Any, head: Head, pooling: Pooling) -> None:
        super().__init__()
        self.encoder, self.head, self.pooling = encoder, head, pooling

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, K) of ids and mask (B, T)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.pooling == "cls":
            pooled = hidden[:, 0]
        else:
            weights = attention_mask[:, :, None].to(hidden.dtype)
            pooled = (hidden * weights).sum(dim=1) / weights.sum(dim=1)  # (B, H)
        logits: torch.Tensor = self.head(standardise(pooled))
        return logits


class Stock(nn.Module):
    """A stock sequence classifier whose answer is the logits alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, K) of ids and mask (B, T)."""
        said = self.model(input_ids=input_ids, attention_mask=attention_mask)
        logits: torch.Tensor = said.logits
        return logits


def write_onnx(model: Headed | Stock, path: Path) -> None:
    """Write a classifier: (B, T) int64 ids and mask to (B, K) logits, any B and T.

    Nothing of where and how it was made is in the file: equal models give equal bytes.
    """
    made = _export(model)
    _forget(made)
    files.write_bytes(path, made.SerializeToString(deterministic=True))


def write_int8(model: Headed | Stock, path: Path) -> None:
    """Write a classifier with int8 weights, activations quantised as they come (dynamically).

    That is for the embeddings and the encoder's layers, with a scale for each column of a matrix;
    the head stays in float32. The scale of activations is by batch, so that a text's answer depends
    on the texts beside it; `load_onnx` can ask one at a time.
    """
    made = _export(model)
    kept = [node.name for node in made.graph.node if not _is_inner(node)]
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


def _export(model: Headed | Stock) -> onnx.ModelProto:
    # Two tensors: torch.export takes one given twice for one input, and the ids for the mask.
    ids = torch.ones(2, 8, dtype=torch.int64)  # the export asks for more than one of each
    mask = torch.ones_like(ids)
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", min=2)
    with quiet_transformers(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch's own deprecations, and names of axes
        program = torch.onnx.export(
            model.cpu().eval(),
            (ids, mask),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_shapes=({0: rows, 1: tokens}, {0: rows, 1: tokens}),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    made: onnx.ModelProto = program.model_proto
    return made


def _is_inner(node: onnx.NodeProto) -> bool:
    """Whether a node is of the embeddings or of the encoder's layers."""
    scopes = next((each.value for each in node.metadata_props if each.key == _SCOPE), "")
    return _INNER.search(scopes) is not None


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
