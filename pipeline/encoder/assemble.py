"""The frozen encoder and its head as one stock sequence classifier, equal up to float rounding.

`transformers` has no mean-pooling BERT classifier: BertForSequenceClassification reads [CLS]. So
one more encoder layer is added, with weights that compute what `features` and `head` define:

- attention with Q = K = 0 is uniform over the tokens that are not padding, and with V = identity
  it is their mean; scaled by ``SCALE`` it makes the residual added to it negligible, and LayerNorm,
  which is invariant to scale, gives z;
- the feed-forward half computes the head's hidden layer in the same way, or nothing: gelu(0) = 0;
- the pooler's tanh is the identity for arguments as small as ``TINY`` makes them.

ModernBERT's classifier pools by mean or [CLS] itself, and its prediction head is dense, activation,
LayerNorm: either identity and z, or, where one more layer has made z, the head's hidden layer.

Weights as large as ``SCALE`` overflow float16: load the model in float32 or bfloat16.
"""

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn
from transformers import BertForSequenceClassification, ModernBertForSequenceClassification

from pipeline.encoder.head import Head
from pipeline.errors import InputError

SCALE = 2.0**24  # float32 has 24 bits: what is added to a number so much larger is rounded away
TINY = 2.0**-16  # tanh(x) = x (1 - x^2 / 3 + ...), and |z| is below the root of the width

Pooling = Literal["mean", "cls"]


def assemble(encoder: Any, head: Head, pooling: Pooling, labels: Sequence[str]) -> Any:
    """Return a stock sequence classifier in eval mode with the head's logits of pooled features.

    ``encoder`` (a BertModel or ModernBertModel) is copied, not changed.

    Raises:
        InputError: where the architecture cannot express the head, as `check_head` says.
    """
    check_head(encoder.config, head.hidden is not None, pooling)
    config = copy.deepcopy(encoder.config)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    config.problem_type = "single_label_classification"
    build = _bert if config.model_type == "bert" else _modernbert
    with torch.no_grad(), torch.random.fork_rng():
        return build(encoder, head, pooling, config).eval()


def check_head(config: Any, hidden: bool, pooling: Pooling) -> None:
    """Raise `InputError` where a classifier of this config cannot hold such a head."""
    if config.model_type not in {"bert", "modernbert"}:
        raise InputError(f"build/pretrain/model: {config.model_type} has no stock classifier here")
    if not hidden:
        return
    activation = config.hidden_act if config.model_type == "bert" else "gelu"
    if activation != "gelu" or config.intermediate_size < config.hidden_size:
        raise InputError(
            f"finetune.frozen.hidden: the encoder's layers use {activation} and are "
            f"{config.intermediate_size} wide, so none can hold the head's; set it to false"
        )
    if config.model_type == "modernbert" and pooling == "cls":
        raise InputError(
            "finetune.frozen.hidden: a ModernBERT classifier cannot hold it with "
            "features.pooling: cls; set that to mean, or this to false"
        )


def _bert(encoder: Any, head: Head, pooling: Pooling, config: Any) -> Any:
    config.num_hidden_layers += 1
    model = BertForSequenceClassification(config)
    _copy_encoder(encoder, model.bert, new=f"encoder.layer.{config.num_hidden_layers - 1}.")
    layer, H = model.bert.encoder.layer[-1], config.hidden_size
    attention, mixed = layer.attention.self, layer.attention.output
    identity = torch.eye(H)
    _set(attention.query, 0.0)
    _set(attention.key, 0.0)
    _set(attention.value, identity)
    _set(mixed.dense, SCALE * identity if pooling == "mean" else 0.0)
    _set(mixed.LayerNorm, 1.0)
    _set(layer.intermediate.dense, 0.0)
    _set(layer.output.dense, 0.0)
    _set(layer.output.LayerNorm, 1.0)
    if head.hidden:
        layer.intermediate.dense.weight[:H] = head.hidden.weight
        layer.intermediate.dense.bias[:H] = head.hidden.bias
        layer.output.dense.weight[:, :H] = SCALE * identity
    _set(model.bert.pooler.dense, TINY * identity)
    _set(model.classifier, head.output.weight / TINY, head.output.bias)
    return model


def _modernbert(encoder: Any, head: Head, pooling: Pooling, config: Any) -> Any:
    config.classifier_pooling = pooling
    config.classifier_activation = "gelu" if head.hidden else "linear"
    config.classifier_bias = True
    if head.hidden:
        config.classifier_pooling = "cls"  # of z, which the new layer gives every token
        config.num_hidden_layers += 1
        config.layer_types = [*config.layer_types, "full_attention"]
    model = ModernBertForSequenceClassification(config)
    _copy_encoder(encoder, model.model, new=f"layers.{encoder.config.num_hidden_layers}.")
    identity = torch.eye(config.hidden_size)
    if head.hidden:
        layer, last_norm = model.model.layers[-1], model.model.final_norm
        layer.attn_norm.load_state_dict(last_norm.state_dict())
        _set(last_norm, 1.0)
        _set(layer.attn.Wqkv, torch.cat([0 * identity, 0 * identity, identity]))
        _set(layer.attn.Wo, SCALE * identity)
        _set(layer.mlp.Wo, 0.0)
        _set(model.head.dense, head.hidden.weight, head.hidden.bias)
    else:
        _set(model.head.dense, SCALE * identity)
    _set(model.head.norm, 1.0)
    _set(model.classifier, head.output.weight, head.output.bias)
    return model


def _copy_encoder(encoder: Any, base: nn.Module, new: str) -> None:
    """Copy the encoder's weights; it has none for the layer called ``new`` and the pooler."""
    missing, unexpected = base.load_state_dict(encoder.state_dict(), strict=False)
    left = {name for name in missing if not name.startswith((new, "pooler."))}
    assert not left | set(unexpected), f"not the encoder's own class: {left | set(unexpected)}"


def _set(module: Any, weight: torch.Tensor | float, bias: torch.Tensor | float = 0.0) -> None:
    """Give a linear layer or a LayerNorm its weight and, where it has one, its bias."""
    module.weight.copy_(torch.as_tensor(weight))
    if module.bias is not None:
        module.bias.copy_(torch.as_tensor(bias))
