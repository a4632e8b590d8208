"""Features against one text at a time by transformers and numpy, and the cache against them."""

import errno
import io
import resource
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_labels import features_params, toy_texts, write_encoder
from toy_model import toy_tokenizer

from pipeline import files, shards
from pipeline.encoder.features import (
    Extractor,
    batches,
    compute_shard,
    load_extractor,
    save_rows,
    tokenise,
    write_rows,
)
from pipeline.encoder.loading import device, load_encoder
from pipeline.encoder.precision import best_precision
from pipeline.errors import InputError

TEXTS = toy_texts(60)[0]
LAST_BITS = 1e-6  # batches of other sizes: 0 was measured with MiniLM on AVX2, but is not promised
BFLOAT16 = 1e-3  # how far it may move an entry of the toy's features; 1e-4 was measured


@pytest.fixture(scope="module", params=["bert", "modernbert"])
def model_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder with strong dropout in its config, so that dropout would be seen."""
    return write_encoder(tmp_path_factory.mktemp("model"), architecture=request.param, dropout=0.5)


def _extract(model_dir: Path, cache: Path, **params: Any) -> Extractor:
    return load_extractor(model_dir, features_params(**params), cache)


def _by_hand(model_dir: Path, text: str, pooling: str) -> np.ndarray:
    """One text, cut to 12 tokens, through transformers; pooled and standardised by numpy."""
    ids = toy_tokenizer()(text, truncation=True, max_length=12, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        hidden = load_encoder(model_dir)(input_ids=ids).last_hidden_state[0].double().numpy()
    pooled = hidden.mean(axis=0) if pooling == "mean" else hidden[0]
    return (pooled - pooled.mean()) / pooled.std()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_feature_is_the_standardised_pool_of_its_own_text(
    model_dir: Path, tmp_path: Path, pooling: str
) -> None:
    features = _extract(model_dir, tmp_path, pooling=pooling).features(TEXTS)
    assert features.dtype == np.float32
    for text, row in list(zip(TEXTS, features, strict=True))[:8]:
        np.testing.assert_allclose(row, _by_hand(model_dir, text, pooling), atol=1e-5)


def test_padding_and_its_mask_would_give_the_same_features(model_dir: Path, tmp_path: Path) -> None:
    """The reference pads all texts to the longest; ours never sees a padding token."""
    padded = toy_tokenizer()(TEXTS, truncation=True, max_length=12, padding=True)
    ids, mask = torch.tensor(padded["input_ids"]), torch.tensor(padded["attention_mask"])
    with torch.no_grad():
        hidden = load_encoder(model_dir)(input_ids=ids, attention_mask=mask).last_hidden_state
    mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    expected = torch.nn.functional.layer_norm(mean, mean.shape[-1:], eps=1e-12)
    features = _extract(model_dir, tmp_path).features(TEXTS)
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_float32_is_bit_for_bit_what_transformers_and_torch_compute(
    model_dir: Path, tmp_path: Path
) -> None:
    ids = toy_tokenizer()(TEXTS, truncation=True, max_length=12)["input_ids"]
    length = max(map(len, ids))
    same = [place for place, text in enumerate(ids) if len(text) == length]
    features = _extract(model_dir, tmp_path, batch_tokens=len(same) * length).features(
        [TEXTS[place] for place in same]
    )
    batch = torch.tensor([ids[place] for place in same])
    with torch.inference_mode():
        mean = load_encoder(model_dir)(input_ids=batch).last_hidden_state.mean(dim=1)
        expected = torch.nn.functional.layer_norm(mean, mean.shape[-1:], eps=1e-12)
    np.testing.assert_array_equal(features, expected)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_bfloat16_is_a_rounding_of_the_float32_feature_by_hand(
    model_dir: Path, tmp_path: Path, pooling: str
) -> None:
    features = _extract(model_dir, tmp_path, pooling=pooling, precision="bfloat16").features(TEXTS)
    assert features.dtype == np.float32
    apart = [
        np.abs(row - _by_hand(model_dir, text, pooling)).max()
        for text, row in list(zip(TEXTS, features, strict=True))[:8]
    ]
    assert 5 * LAST_BITS < max(apart) < BFLOAT16


def test_dropout_is_off_so_that_a_text_has_one_vector(model_dir: Path, tmp_path: Path) -> None:
    extractor = _extract(model_dir, tmp_path / "a")
    assert not any(module.training for module in extractor.encoder.modules())
    assert not any(weights.requires_grad for weights in extractor.encoder.parameters())
    again = _extract(model_dir, tmp_path / "b").features(TEXTS)
    np.testing.assert_array_equal(extractor.features(TEXTS), again)


@pytest.mark.parametrize("batch_tokens", [1, 50, 10_000])
@pytest.mark.parametrize(("precision", "atol"), [("float32", LAST_BITS), ("bfloat16", BFLOAT16)])
def test_neither_order_nor_batches_change_a_row(
    model_dir: Path, tmp_path: Path, batch_tokens: int, precision: str, atol: float
) -> None:
    features = _extract(model_dir, tmp_path / "a", precision=precision).features(TEXTS)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    other = _extract(model_dir, tmp_path / "b", batch_tokens=batch_tokens, precision=precision)
    permuted = other.features([TEXTS[place] for place in order])
    np.testing.assert_allclose(permuted, features[order], atol=atol)


def test_the_cache_equals_recomputation_bit_for_bit(model_dir: Path, tmp_path: Path) -> None:
    computed = _extract(model_dir, tmp_path / "a").features(TEXTS)
    cached = _extract(model_dir, tmp_path / "a").features(TEXTS)
    recomputed = _extract(model_dir, tmp_path / "b").features(TEXTS)
    np.testing.assert_array_equal(cached, computed)
    np.testing.assert_array_equal(recomputed, computed)


def test_a_text_is_run_once_however_often_it_is_asked_for(model_dir: Path, tmp_path: Path) -> None:
    ran: list[int] = []
    extractor = _extract(model_dir, tmp_path)
    extractor.encoder.register_forward_hook(
        lambda _, __, given, ___: ran.append(len(given["input_ids"])), with_kwargs=True
    )
    distinct = len(set(TEXTS))
    extractor.features(TEXTS[:20] + TEXTS[:20])
    extractor.features(TEXTS)
    extractor.features(TEXTS[::-1])
    assert sum(ran) == distinct


def test_a_kill_loses_no_more_than_a_part(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third part of five texts fails; the first two are in the cache afterwards."""
    monkeypatch.setattr("pipeline.encoder.features._CACHED_TEXTS", 5)
    extractor = _extract(model_dir, tmp_path)

    def fail(done: int, total: int) -> None:
        if done > 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extractor.features(TEXTS, fail)
    told: list[tuple[int, int]] = []
    extractor.features(TEXTS, lambda done, total: told.append((done, total)))
    assert told[-1] == (len(set(TEXTS)) - 10, len(set(TEXTS)) - 10)


def test_a_machine_that_has_another_encoder_at_that_path_is_refused(
    model_dir: Path, tmp_path: Path
) -> None:
    files.write_json(tmp_path / "done.json", TEXTS)
    shard = {"model": str(model_dir), "params": features_params().model_dump()}
    done = tmp_path / "done.npy"
    with pytest.raises(InputError, match="not the encoder of this run; is the disk shared"):
        compute_shard(**shard, digest="another", done=done, progress=lambda _: None)
    digest = _extract(model_dir, tmp_path).digest
    compute_shard(**shard, digest=digest, done=done, progress=lambda _: None)
    np.testing.assert_array_equal(np.load(done), _extract(model_dir, tmp_path).features(TEXTS))


def test_a_machine_that_computes_a_part_does_not_choose_its_precision(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender's best is bfloat16, the other's float32, and what is asked for is ``auto``."""

    def compute(asked: list[shards.Shard], _: shards.Progress) -> None:
        assert len(asked) > 1
        make_best("float32")
        for shard in asked:
            shards.do(shard)

    def make_best(precision: str) -> None:
        monkeypatch.setattr("pipeline.encoder.precision.best_precision", lambda _: precision)

    monkeypatch.setattr("pipeline.encoder.features._CACHED_TEXTS", 20)
    monkeypatch.setattr(shards, "are_sent", lambda: True)
    monkeypatch.setattr(shards, "run", compute)
    make_best("bfloat16")
    sent = _extract(model_dir, tmp_path / "sent", precision="auto").features(TEXTS)
    exact = _extract(model_dir, tmp_path / "exact").features(TEXTS)
    assert 5 * LAST_BITS < np.abs(sent - exact).max() < BFLOAT16


def test_auto_shares_the_key_of_the_precision_that_is_best_here(
    model_dir: Path, tmp_path: Path
) -> None:
    automatic = _extract(model_dir, tmp_path, precision="auto")
    best = _extract(model_dir, tmp_path, precision=best_precision(device()))
    assert automatic.cache_path == best.cache_path
    assert automatic.precision == best.precision


def test_the_key_changes_with_all_that_a_feature_depends_on(tmp_path: Path) -> None:
    first, other = (write_encoder(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    cased = shutil.copytree(first, tmp_path / "cased")
    tokenizer = files.read_json(cased / "tokenizer_config.json")
    files.write_json(cased / "tokenizer_config.json", tokenizer | {"do_lower_case": False})
    two_heads = shutil.copytree(first, tmp_path / "two_heads")  # the same weights, read otherwise
    config = files.read_json(two_heads / "config.json")
    files.write_json(two_heads / "config.json", config | {"num_attention_heads": 2})
    variants = [
        _extract(first, tmp_path),
        _extract(two_heads, tmp_path),
        _extract(other, tmp_path),
        _extract(cased, tmp_path),
        _extract(first, tmp_path, pooling="cls"),
        _extract(first, tmp_path, max_len_tokens=11),
        _extract(first, tmp_path, precision="bfloat16"),
    ]
    assert len({extractor.cache_path for extractor in variants}) == len(variants)
    assert _extract(first, tmp_path, batch_tokens=7).cache_path == variants[0].cache_path


def test_no_text_has_no_features(model_dir: Path, tmp_path: Path) -> None:
    assert _extract(model_dir, tmp_path).features([]).shape == (0, 16)


def test_truncation_keeps_the_ends_and_is_counted() -> None:
    tokenised = tokenise(["w5 w6 w7", "w5 w6", ""], toy_tokenizer(), 4)
    assert tokenised.ids == [[2, 5, 6, 3], [2, 5, 6, 3], [2, 3]]
    assert tokenised.truncated == 1


def test_more_tokens_than_positions_are_refused_by_name(model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"features\.max_len_tokens: 17 .* 16 positions"):
        _extract(model_dir, tmp_path, max_len_tokens=17)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(1, 100))
def test_batches_hold_every_text_once_of_one_length_within_the_limit(
    lengths: list[int], batch_tokens: int
) -> None:
    made = list(batches([[0] * length for length in lengths], batch_tokens))
    assert sorted(place for batch in made for place in batch) == list(range(len(lengths)))
    for batch in made:
        assert len({lengths[place] for place in batch}) == 1
        assert len(batch) == 1 or sum(lengths[place] for place in batch) <= batch_tokens


def test_rows_are_written_as_numpy_does_and_a_full_disk_is_called_one(tmp_path: Path) -> None:
    """A limit on a file's size stands for the disk; numpy's own error has no number."""
    rows = np.arange(60_000, dtype=np.float32).reshape(-1, 3)
    ours, theirs = io.BytesIO(), io.BytesIO()
    save_rows(ours, rows[::2])
    np.save(theirs, rows[::2])
    assert ours.getvalue() == theirs.getvalue()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, unlimited[1]))
    try:
        with pytest.raises(OSError, match="too large") as full:
            write_rows(tmp_path / "rows.npy", rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert full.value.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())
