"""A bundle's features of texts on a device that is not the texts'."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toy_model import toy_tokenizer

from pipeline.encoder import represent


def test_the_ids_go_to_the_encoder_s_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device that computes nothing stands for a GPU; the encoder answers with its ids' kind."""
    asked: list[str] = []

    class Encoder:
        device = torch.device("meta")

        def __call__(self, input_ids: torch.Tensor) -> SimpleNamespace:
            asked.append(input_ids.device.type)
            return SimpleNamespace(last_hidden_state=torch.zeros(*input_ids.shape, 4))

    monkeypatch.setattr(represent.classifier, "check_loadable", lambda _: None)
    loaded = SimpleNamespace(base_model=Encoder())
    monkeypatch.setattr(represent.classifier, "load_sequence_model", lambda _: loaded)
    monkeypatch.setattr(represent, "load_tokenizer", lambda *_: toy_tokenizer())
    assert represent.load_bundle(tmp_path)(["w7 w8", "w9"]).shape == (2, 4)
    assert asked == ["meta", "meta"]
