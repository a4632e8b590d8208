"""The encoder's digest against SHA-256 written out by hand, and across the models that hold it."""

import hashlib
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
)

from pipeline.encoder.digest import digest_weights, encoder_digest
from pipeline.errors import InputError


def _bert_config() -> BertConfig:
    return BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )


def _modernbert() -> ModernBertForMaskedLM:
    config = ModernBertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=32, pad_token_id=0, bos_token_id=2,
        eos_token_id=3, cls_token_id=2, sep_token_id=3,
    )  # fmt: skip
    return ModernBertForMaskedLM(config)


def test_the_digest_is_sha256_of_name_dtype_shape_and_bytes_in_order_of_names() -> None:
    one, two = torch.tensor([[1.0, 2.0]]), torch.tensor(3, dtype=torch.int64)
    by_hand = hashlib.sha256()
    by_hand.update(b'["a", "torch.float32", [1, 2]]\n' + one.numpy().tobytes())
    by_hand.update(b'["b", "torch.int64", []]\n' + two.numpy().tobytes())
    assert digest_weights({"b": two, "a": one}) == by_hand.hexdigest()


@pytest.mark.parametrize("model", [BertForMaskedLM(_bert_config()), _modernbert()])
def test_memory_and_disk_agree_and_one_changed_weight_is_seen(
    model: PreTrainedModel, tmp_path: Path
) -> None:
    before = encoder_digest(model)
    model.save_pretrained(tmp_path)
    assert encoder_digest(tmp_path) == before
    with torch.no_grad():
        next(model.base_model.parameters())[0, 0] += 1
    assert encoder_digest(model) != before


def test_the_head_and_the_pooler_do_not_enter(tmp_path: Path) -> None:
    masked = BertForMaskedLM(_bert_config())
    masked.save_pretrained(tmp_path / "masked")
    classifier = BertForSequenceClassification.from_pretrained(tmp_path / "masked")
    classifier.save_pretrained(tmp_path / "classifier")
    bare = BertModel.from_pretrained(tmp_path / "masked")
    bare.save_pretrained(tmp_path / "bare")
    models = [masked, classifier, bare, tmp_path / "classifier", tmp_path / "bare"]
    assert len({encoder_digest(model) for model in models}) == 1


def test_a_directory_without_safetensors_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \*\.safetensors"):
        encoder_digest(tmp_path)
