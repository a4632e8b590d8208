"""Models against transformers' own: its logits, its loading, its architectures."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from toy_model import (
    VOCABULARY,
    WORDS,
    pretrain_params,
    toy_packing,
    toy_start,
    toy_tokenizer,
    whole_rows,
)
from transformers import AutoModelForMaskedLM, AutoTokenizer, BertTokenizer

from pipeline.encoder.masking import mask_tokens
from pipeline.encoder.model import (
    Start,
    masked_logits,
    save_model,
    set_output_bias,
    start_model,
    untrained_model,
)
from pipeline.encoder.tokenizer import save_tokenizer
from pipeline.errors import InputError

ARCHITECTURES = ("bert", "modernbert")


def _batch(rows: int = 4) -> list[torch.Tensor]:
    """Rows that are one document each, as transformers takes them."""
    whole = whole_rows(toy_packing().rows(np.arange(rows)).ids)
    batch = mask_tokens(whole, VOCABULARY, 0.3, [1])
    return [torch.from_numpy(a) for a in (batch.ids, batch.segments, batch.positions)]


def _saved(folder: Path, **changes: Any) -> Path:
    save_model(toy_start(pretrain_params(**changes)), toy_tokenizer(), folder)
    return folder


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_at_positions_are_those_of_transformers_full_forward(architecture: str) -> None:
    model = toy_start(pretrain_params(architecture=architecture)).model.eval()
    ids, segments, positions = _batch()
    full = model(input_ids=ids, attention_mask=segments).logits  # (B, T, V)
    expected = full.gather(1, positions[..., None].expand(-1, -1, full.shape[-1]))
    torch.testing.assert_close(masked_logits(model, ids, segments, positions), expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_document_has_the_logits_of_the_document_alone(architecture: str) -> None:
    """Alone: in a row of its own, from transformers' own forward, positions from 0."""
    params = pretrain_params(architecture=architecture, seq_len_tokens=32, layers=2)
    model = toy_start(params).model.eval()
    if architecture == "modernbert":
        model.config.local_attention = 6  # of the second layer; narrower than the documents
    packed = toy_packing(32).rows(np.arange(6))
    everywhere = torch.arange(32).expand(6, -1)
    ids, segments = map(torch.from_numpy, packed)
    logits = masked_logits(model, ids, segments, everywhere)
    compared = 0
    for row, segment in {(r, s) for r in range(6) for s in packed.segments[r].tolist()}:
        places = segments[row] == segment
        alone = model(input_ids=ids[row, places][None]).logits[0]
        torch.testing.assert_close(logits[row, places], alone)
        compared += 1
    assert compared > 12


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_cannot_change_the_logits(architecture: str) -> None:
    """Against the same rows with 5 tokens of padding, whatever ids stand there."""
    model = toy_start(pretrain_params(architecture=architecture, seq_len_tokens=32)).model.eval()
    ids, segments, positions = _batch()
    noise = torch.randint(5, 50, (4, 5))
    longer = torch.cat([ids, noise], 1)
    mask = torch.cat([segments, torch.zeros(4, 5, dtype=torch.long)], 1)
    torch.testing.assert_close(
        masked_logits(model, longer, mask, positions),
        masked_logits(model, ids, segments, positions),
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_saved_directory_loads_in_transformers_whole_and_gives_the_same_logits(
    architecture: str, tmp_path: Path
) -> None:
    start = toy_start(pretrain_params(architecture=architecture))
    save_model(start, toy_tokenizer(), tmp_path)
    loaded, loading = AutoModelForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    ids, segments, positions = _batch()
    torch.testing.assert_close(
        masked_logits(loaded.eval(), ids, segments, positions),
        masked_logits(start.model.eval(), ids, segments, positions),
        rtol=0,
        atol=0,
    )
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("w7 w8").input_ids == [2, 7, 8, 3]
    assert tokenizer.model_max_length == 16
    assert not list(tmp_path.glob("*.bin"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_dropout_is_on_in_training_and_the_saved_config_is_as_before(
    architecture: str, tmp_path: Path
) -> None:
    start = toy_start(pretrain_params(architecture=architecture, dropout=0.5))
    ids, segments, positions = _batch()
    one, two = (masked_logits(start.model.train(), ids, segments, positions) for _ in "ab")
    assert not torch.equal(one, two)
    save_model(start, toy_tokenizer(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for name, value in start.dropouts.items():
        assert config[name] == value != 0.5


def test_without_dropout_training_mode_changes_nothing() -> None:
    model = toy_start(pretrain_params(dropout=0.0)).model
    ids, segments, positions = _batch()
    one = masked_logits(model.train(), ids, segments, positions)
    assert torch.equal(one, masked_logits(model.eval(), ids, segments, positions))


def test_new_weights_are_a_function_of_the_seed_and_leave_the_global_one_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (toy_start(pretrain_params(seed=seed)).model for seed in (1, 1, 2))
    assert torch.rand(1) == expected
    pairs = list(zip(one.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


def _without_head(folder: Path) -> Path:
    """A directory as MiniLM's: a bare encoder with a pooler, without an MLM head."""
    from transformers import BertModel

    model = toy_start(pretrain_params()).model
    BertModel(model.config).save_pretrained(folder)
    save_tokenizer(toy_tokenizer(), folder)
    return folder


def test_a_checkpoint_without_a_head_gets_a_new_one_tied_to_its_embeddings(tmp_path: Path) -> None:
    folder = _without_head(tmp_path)
    start = toy_start(pretrain_params(init=str(folder)))
    assert start.new == {
        "cls.predictions.bias",
        "cls.predictions.transform.dense.weight",
        "cls.predictions.transform.dense.bias",
        "cls.predictions.transform.LayerNorm.weight",
        "cls.predictions.transform.LayerNorm.bias",
    }
    model = start.model
    embeddings = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert torch.equal(model.get_input_embeddings().weight, embeddings)


def test_a_new_output_bias_starts_at_the_log_shares_and_an_old_one_stays(tmp_path: Path) -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(50))
    new = toy_start(pretrain_params(init=str(_without_head(tmp_path / "bare"))))
    set_output_bias(new, shares)
    bias = new.model.get_output_embeddings().bias
    np.testing.assert_allclose(bias.detach().numpy(), np.log(shares), rtol=1e-6)
    old = toy_start(pretrain_params(init=str(_saved(tmp_path / "whole"))))
    set_output_bias(old, shares)
    assert not old.new
    assert torch.equal(old.model.get_output_embeddings().bias, torch.zeros(50))


def test_the_untrained_twin_has_the_architecture_and_none_of_the_weights() -> None:
    model = toy_start(pretrain_params(seed=1)).model
    twin = untrained_model(model.config, seed=2)
    assert type(twin) is type(model)
    assert not torch.equal(twin.get_input_embeddings().weight, model.get_input_embeddings().weight)


def _fails(match: str, tokenizer: Any = None, **changes: Any) -> Start | None:
    with pytest.raises(InputError, match=match):
        start_model(pretrain_params(**changes), tokenizer or toy_tokenizer(), VOCABULARY)
    return None


def test_a_directory_of_pickles_is_refused_by_the_pickles_name(tmp_path: Path) -> None:
    folder = _saved(tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    _fails(r"pytorch_model\.bin: neither pickle nor other code is read", init=str(folder))


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path) -> None:
    folder = _saved(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    weights["bert.encoder.layer.0.output.dense.bias"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    _fails(r"layer\.0\.output\.dense\.bias holds NaN", init=str(folder))


def test_an_encoder_with_a_weight_missing_is_refused_and_not_filled_up(tmp_path: Path) -> None:
    folder = _saved(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["bert.encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    _fails(r"lacks the weights bert\.encoder\.layer\.0\.output\.dense\.weight", init=str(folder))


def test_a_tokenizer_that_numbers_other_tokens_is_refused(tmp_path: Path) -> None:
    folder = _saved(tmp_path / "m")
    swapped = [*WORDS[:5], WORDS[6], WORDS[5], *WORDS[7:]]
    other = BertTokenizer(vocab={word: i for i, word in enumerate(swapped)})
    _fails("set tokenise.tokenizer to", tokenizer=other, init=str(folder))


def test_more_tokens_than_the_model_embeds_are_refused(tmp_path: Path) -> None:
    folder = _saved(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 40}))
    _fails("embeds 40 tokens and the tokenizer has 50; set tokenise", init=str(folder))


def test_sequences_longer_than_the_positions_are_refused(tmp_path: Path) -> None:
    folder = _saved(tmp_path / "m")
    _fails("seq_len_tokens: 17 is more than the 16 positions", init=str(folder), seq_len_tokens=17)


@pytest.mark.parametrize(
    ("init", "match"),
    [
        ("data/models/none", "pretrain.init: no directory data/models/none; run `python -m pipe"),
        ("./none", "pretrain.init: no directory ./none"),
    ],
)
def test_a_directory_that_is_not_there_is_not_sought_on_the_hub(init: str, match: str) -> None:
    _fails(match, init=init)


def test_an_architecture_that_has_no_known_head_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(_saved(tmp_path / "m"), tmp_path / "other")
    (folder / "config.json").write_text(json.dumps({"model_type": "distilbert"}))
    _fails("is a distilbert; use bert or modernbert", init=str(folder))


def test_a_width_that_heads_of_64_do_not_fill_is_refused() -> None:
    _fails("pretrain.hidden: 200 is no multiple of 64", hidden=200)
