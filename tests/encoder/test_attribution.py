"""Against a model whose shares are known in closed form, and the axiom of completeness."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_labels import features_params, write_encoder
from toy_model import toy_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from pipeline.encoder.attribution import Explainer, Tokens, load
from pipeline.encoder.classifier import from_head, load_stock
from pipeline.encoder.features import load_extractor
from pipeline.encoder.head import Head, load_head, save_head
from pipeline.encoder.tokenizer import save_tokenizer

TEXT = "w7 w30 w41 w9 w12"


@pytest.fixture
def explainer(tmp_path: Path) -> Explainer:
    write_encoder(tmp_path / "pretrain" / "model")
    torch.manual_seed(4)
    head = Head(16, True, 3)
    with torch.no_grad():
        head.output.weight *= 8
    save_head(head, tmp_path / "finetune")
    return load(tmp_path / "pretrain", tmp_path / "finetune", features_params())


def test_it_answers_as_the_classifier_does(explainer: Explainer, tmp_path: Path) -> None:
    texts = [TEXT, "w5", " ".join(f"w{i}" for i in range(5, 40))]
    extractor = load_extractor(tmp_path / "pretrain" / "model", features_params(), tmp_path)
    classifier = from_head(extractor, load_head(tmp_path / "finetune"))
    ours = explainer.probabilities([explainer.encode(text).ids for text in texts])
    np.testing.assert_allclose(ours, classifier.probabilities(texts), atol=1e-6)


def test_a_whole_model_answers_as_the_classifier_does_too(tmp_path: Path) -> None:
    """That of finetune.mode full: a stock sequence classifier."""
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, num_labels=3, initializer_range=0.5,
    )  # fmt: skip
    folder = tmp_path / "finetune" / "model"
    BertForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(toy_tokenizer(), folder)
    explainer, texts = load(tmp_path, tmp_path / "finetune", features_params()), [TEXT, "w5"]
    tokens = explainer.encode(TEXT)
    ours = explainer.probabilities([explainer.encode(text).ids for text in texts])
    np.testing.assert_allclose(ours, load_stock(folder).probabilities(texts), atol=1e-6)
    whole, hidden = explainer.probabilities([tokens.ids, explainer.hide(tokens)])[:, 1]
    shares = explainer.attribute(tokens, 1, steps=64)
    assert shares.sum() == pytest.approx(whole - hidden, abs=1e-3)


def test_shares_add_up_to_the_change_of_the_probability(explainer: Explainer) -> None:
    tokens = explainer.encode(TEXT)
    for label in range(3):
        shares = explainer.attribute(tokens, label, steps=64)
        whole, hidden = explainer.probabilities([tokens.ids, explainer.hide(tokens)])[:, label]
        assert shares.sum() == pytest.approx(whole - hidden, abs=1e-5)
        assert len(shares) == 5
        assert np.abs(shares).max() > 0.005


class Additive(torch.nn.Module):
    """P(label 1) is the sum of the embeddings' first numbers: a token's share is its own number."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder: Any = torch.nn.Module()
        table = torch.nn.Embedding(50, 4)
        with torch.no_grad():
            table.weight.copy_(torch.arange(200.0).reshape(50, 4) / 2000)
        self.encoder.add_module("table", table)
        self.encoder.get_input_embeddings = lambda: table

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        p = inputs["inputs_embeds"][..., 0].sum(dim=-1)
        return torch.stack([torch.log(1 - p), torch.log(p)], dim=-1)


def test_of_a_sum_each_words_share_is_its_own_and_tokens_of_a_word_are_added() -> None:
    tokens = Tokens([2, 10, 20, 30, 3], np.array([-1, 0, 1, 1, -1]), ("w10", "w20w30"))
    explainer = Explainer(Additive().requires_grad_(False), toy_tokenizer(), 16)  # type: ignore[arg-type]
    shares = explainer.attribute(tokens, 1, steps=4)
    number = 4 / 2000  # of a token, times its id; the mask's id is 4
    assert shares == pytest.approx([(10 - 4) * number, (20 + 30 - 8) * number], abs=1e-6)


def test_special_tokens_are_no_word_and_unknown_words_are(explainer: Explainer) -> None:
    tokens = explainer.encode("w7 Zebra w8")
    assert tokens.names == ("w7", "Zebra", "w8")
    assert tokens.words.tolist() == [-1, 0, 1, 2, -1]
    assert explainer.hide(tokens) == [2, 4, 4, 4, 3]
    assert explainer.encode("").names == ()
    assert len(explainer.encode("w5 " * 50).ids) == 12


def test_random_weights_are_others_and_the_model_stays_as_it_is(explainer: Explainer) -> None:
    before = {name: p.clone() for name, p in explainer.model.named_parameters()}
    random, again = explainer.randomised(1), explainer.randomised(1)
    for name, weights in explainer.model.named_parameters():
        assert torch.equal(weights, before[name])
        drawn = random.model.get_parameter(name)
        assert torch.equal(drawn, again.model.get_parameter(name))
        assert torch.equal(drawn, weights) == (weights.dim() < 2), name
