"""Full fine-tuning on texts whose first word tells the label."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_labels import finetune_params, toy_texts, write_encoder
from toy_model import toy_tokenizer

from pipeline.encoder.classifier import sequence_logits
from pipeline.encoder.digest import encoder_digest
from pipeline.encoder.fitting import Best
from pipeline.encoder.full import Texts, finetune_full, load_classifier
from pipeline.params import FinetuneParams
from pipeline.reports import FinetunePoint

LABELS = ("negative", "positive")


@pytest.fixture(scope="module", params=["bert", "modernbert"])
def model_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("model"), architecture=request.param, dropout=0.0)


def _texts(count: int, seed: int) -> Texts:
    texts, labels = toy_texts(count, seed)
    return Texts(toy_tokenizer()(texts)["input_ids"], torch.from_numpy(labels))


def _ignore(point: FinetunePoint) -> None:
    del point


def _train(model_dir: Path, params: FinetuneParams, **given: Any) -> tuple[Any, Best]:
    model = load_classifier(model_dir, LABELS, params.seed, params.full.dropout)
    best = finetune_full(
        model, _texts(150, 0), _texts(60, 1), params, **{"on_epoch": _ignore} | given
    )
    return model, best


def test_the_whole_model_learns_and_is_left_at_its_best_epoch(model_dir: Path) -> None:
    validation = _texts(60, 1)
    model, best = _train(model_dir, finetune_params("full", epochs=4))
    losses = [point.validation_loss for point in best.curve]
    assert len(losses) == 4
    assert best.epoch == 1 + int(np.argmin(losses))
    assert best.curve[best.epoch - 1].validation_accuracy > 0.85
    assert encoder_digest(model) != encoder_digest(model_dir)
    assert not model.training
    logits = torch.from_numpy(sequence_logits(model, validation.ids, 1000))
    again = torch.nn.functional.cross_entropy(logits, validation.labels)
    assert float(again) == pytest.approx(min(losses), abs=1e-5)


def test_equal_seeds_give_equal_models_and_other_seeds_others(model_dir: Path) -> None:
    digests = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(digests))  # the global generator is not what is drawn from
        digests.append(
            encoder_digest(_train(model_dir, finetune_params("full", seed=seed, epochs=1))[0])
        )
    assert digests[0] == digests[1] != digests[2]


def test_padding_is_masked_in_training(model_dir: Path) -> None:
    """One padded batch of all rows, before any step: its loss is that of the rows one by one."""
    params, train = finetune_params("full", epochs=1, batch_rows=150), _texts(150, 0)
    model = load_classifier(model_dir, LABELS, params.seed, dropout=0.0).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(5)  # new weights are so small that a text hardly matters
    alone = [torch.from_numpy(sequence_logits(model, [ids], 100)) for ids in train.ids]
    expected = torch.nn.functional.cross_entropy(torch.cat(alone), train.labels)
    best = finetune_full(model, train, _texts(60, 1), params, on_epoch=_ignore)
    assert best.curve[0].train_loss == pytest.approx(float(expected), rel=1e-5)


def test_dropout_is_what_the_section_says(model_dir: Path) -> None:
    model = load_classifier(model_dir, LABELS, seed=1, dropout=0.25)
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.25}


def test_the_first_step_is_a_warm_up_and_the_last_is_nearly_none(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten steps, half of them warm-up: factors 0.2, 0.4, ..., 1, 1, 0.8, ..., 0.2."""
    rates: list[float] = []

    def record(_: Any, optimiser: torch.optim.Optimizer, *__: Any, **___: Any) -> float:
        rates.append(optimiser.param_groups[0]["lr"])
        return 0.0

    monkeypatch.setattr("pipeline.encoder.full._step", record)
    params = finetune_params("full", epochs=1, batch_rows=15, warmup_share=0.5, learning_rate=1.0)
    steps: list[tuple[int, int]] = []
    _train(model_dir, params, progress=lambda done, total: steps.append((done, total)))
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 0.8, 0.6, 0.4, 0.2])
    assert steps == [(step, 10) for step in range(1, 11)]
