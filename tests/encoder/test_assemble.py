"""The stock classifier against the head on features, text by text, in every form it can take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_labels import toy_texts
from toy_model import pretrain_params, toy_start, toy_tokenizer
from transformers import AutoModelForSequenceClassification

from pipeline.encoder.assemble import Pooling, assemble, check_head
from pipeline.encoder.features import pool, standardise
from pipeline.encoder.head import Head
from pipeline.errors import InputError

LABELS = ("bad", "so-so", "good")
TEXTS = toy_texts(24)[0]
WIDTH = 16
FORMS = [
    (architecture, pooling, hidden)
    for architecture in ("bert", "modernbert")
    for pooling in ("mean", "cls")
    for hidden in (False, True)
    if (architecture, pooling, hidden) != ("modernbert", "cls", True)  # refused, see below
]


def _encoder(architecture: str, **changes: Any) -> Any:
    """An encoder none of whose weights is left at 0 or 1: norms and biases count as well."""
    params = pretrain_params(architecture=architecture, layers=3, **changes)
    encoder = toy_start(params).model.base_model.eval()
    torch.manual_seed(5)
    with torch.no_grad():
        for weights in encoder.parameters():
            weights.add_(0.2 * torch.randn_like(weights))
    return encoder


def _head(hidden: bool) -> Head:
    torch.manual_seed(7)
    head = Head(WIDTH, hidden, len(LABELS))
    with torch.no_grad():
        head.output.weight *= 5  # probabilities far from a third
    return head


def _expected(encoder: Any, head: Head, pooling: Pooling) -> torch.Tensor:
    """Each text alone, without padding: the definition of `features` and `head`."""
    rows = []
    with torch.no_grad():
        for text in TEXTS:
            ids = torch.tensor([toy_tokenizer()(text)["input_ids"]])
            hidden = encoder(input_ids=ids).last_hidden_state
            rows.append(head(standardise(pool(hidden, pooling))).softmax(1))
    return torch.cat(rows)


def _stock(model: Any) -> torch.Tensor:
    """All texts in one padded batch with its mask, as any user of transformers would."""
    batch = toy_tokenizer()(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        probabilities: torch.Tensor = model(**batch).logits.float().softmax(1)
    return probabilities


@pytest.mark.parametrize(("architecture", "pooling", "hidden"), FORMS)
def test_the_saved_classifier_has_the_heads_probabilities(
    tmp_path: Path, architecture: str, pooling: Pooling, hidden: bool
) -> None:
    """In eager and fused attention to 1e-4; in bfloat16 to 0.05 (0.02 was measured)."""
    encoder, head = _encoder(architecture), _head(hidden)
    expected = _expected(encoder, head, pooling)
    assert float(expected.std()) > 0.15
    assemble(encoder, head, pooling, LABELS).save_pretrained(tmp_path)
    for attention in ("eager", "sdpa"):
        model = AutoModelForSequenceClassification.from_pretrained(
            tmp_path, attn_implementation=attention
        )
        torch.testing.assert_close(_stock(model), expected, rtol=0, atol=1e-4)
    half = AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    torch.testing.assert_close(_stock(half), expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_the_encoder_inside_is_the_encoder_and_neither_is_changed(architecture: str) -> None:
    encoder = _encoder(architecture)
    before = {name: weights.clone() for name, weights in encoder.state_dict().items()}
    inside = assemble(encoder, _head(False), "mean", LABELS).base_model.state_dict()
    for name, weights in encoder.state_dict().items():
        torch.testing.assert_close(weights, before[name], rtol=0, atol=0)
        torch.testing.assert_close(inside[name], before[name], rtol=0, atol=0)


def test_labels_are_in_the_config_and_training_mode_is_off() -> None:
    model = assemble(_encoder("bert"), _head(False), "mean", LABELS)
    assert model.config.id2label == dict(enumerate(LABELS))
    assert model.config.label2id == {label: number for number, label in enumerate(LABELS)}
    assert model.config.problem_type == "single_label_classification"
    assert not model.training


@pytest.mark.parametrize(
    ("architecture", "changes", "hidden", "pooling", "named"),
    [
        ("bert", {"hidden_act": "relu"}, True, "mean", "layers use relu"),
        ("bert", {"intermediate_size": 8}, True, "mean", "8 wide"),
        ("modernbert", {}, True, "cls", r"features\.pooling: cls"),
        ("bert", {"model_type": "gpt2"}, False, "mean", "gpt2 has no stock classifier"),
    ],
)
def test_a_head_that_no_stock_classifier_can_hold_is_refused_by_name(
    architecture: str, changes: dict[str, Any], hidden: bool, pooling: Pooling, named: str
) -> None:
    config = _encoder(architecture).config
    for name, value in changes.items():
        setattr(config, name, value)
    with pytest.raises(InputError, match=named):
        check_head(config, hidden, pooling)


def test_without_a_hidden_layer_any_activation_will_do() -> None:
    encoder, head = _encoder("bert"), _head(False)
    encoder.config.hidden_act = "relu"
    for layer in encoder.encoder.layer:
        layer.intermediate.intermediate_act_fn = torch.nn.ReLU()
    expected = _expected(encoder, head, "mean")
    stock = _stock(assemble(encoder, head, "mean", LABELS))
    np.testing.assert_allclose(stock, expected, atol=1e-4)
