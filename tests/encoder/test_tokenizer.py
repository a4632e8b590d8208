"""Tokenizers against the tokens that BERT's rules give by hand, and corpora read back whole."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from toy_model import toy_tokenizer
from transformers import AutoTokenizer

from pipeline.encoder.tokenizer import (
    SPECIAL_TOKENS,
    encode_corpus,
    load_tokenizer,
    save_tokenizer,
    train_tokenizer,
    vocabulary_of,
)
from pipeline.encoder.tokens import open_tokens
from pipeline.errors import InputError

TEXTS = [
    "The cat sat on the mat; the café was closed.",
    "A cat, a hat, and a mat: unhappy unhappily happily.",
    "Größe 東京 and naïve words make an alphabet of many ties é ü ß ñ ç.",
]
HERE = str(Path(__file__).parent)


def _batches() -> Iterable[list[str]]:
    return [TEXTS[:1], TEXTS[1:]]


def test_the_special_tokens_come_first_and_every_word_is_covered() -> None:
    tokenizer = train_tokenizer(_batches, 150, lowercase=True)
    assert tokenizer.convert_ids_to_tokens(range(5)) == SPECIAL_TOKENS
    assert len(tokenizer) <= 150
    ids = tokenizer("the cat 東京")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids)[:: len(ids) - 1] == ["[CLS]", "[SEP]"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.convert_ids_to_tokens(ids)[-3:-1] == ["東", "京"]  # one sign, one token


@pytest.mark.parametrize(("lowercase", "equal"), [(True, True), (False, False)])
def test_case_is_kept_or_not_as_asked(lowercase: bool, equal: bool) -> None:
    tokenizer = train_tokenizer(_batches, 150, lowercase=lowercase)
    assert (tokenizer("The").input_ids == tokenizer("the").input_ids) is equal


def test_another_process_trains_the_same_ids() -> None:
    """Rust's hash maps are seeded by process: in one process two trainings prove nothing."""
    code = (
        f"import sys, json; sys.path.insert(0, {HERE!r})\n"
        "from test_tokenizer import _batches, train_tokenizer\n"
        "print(json.dumps(train_tokenizer(_batches, 150, True).get_vocab(), sort_keys=True))"
    )
    env_path = f"{Path(__file__).parents[2]}:{Path(__file__).parents[1]}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": env_path, "PATH": "/usr/bin:/bin"},
    )
    assert json.loads(done.stdout) == train_tokenizer(_batches, 150, True).get_vocab()


def test_a_vocabulary_smaller_than_the_alphabet_is_refused() -> None:
    with pytest.raises(InputError, match=r"tokenise\.vocab_size: 20 does not hold the \d+ char"):
        train_tokenizer(_batches, 20, lowercase=True)


def test_the_saved_tokenizer_loads_in_transformers_with_equal_ids_and_bytes(
    tmp_path: Path,
) -> None:
    tokenizer = train_tokenizer(_batches, 150, lowercase=True)
    save_tokenizer(tokenizer, tmp_path / "one")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "one")
    assert loaded.is_fast
    assert loaded.model_max_length == 512
    assert [loaded(text).input_ids for text in TEXTS] == [tokenizer(t).input_ids for t in TEXTS]
    save_tokenizer(load_tokenizer(str(tmp_path / "one")), tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()
        assert str(tmp_path) not in path.read_text()


def test_a_reused_tokenizer_that_truncates_does_so_no_longer(tmp_path: Path) -> None:
    """MiniLM's own tokenizer.json cuts at 128 tokens and pads to 128."""
    tokenizer = toy_tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(8)
    tokenizer.backend_tokenizer.enable_padding(length=8)
    tokenizer.save_pretrained(tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    encoded = encode_corpus([["w9 " * 500, "w7"]], loaded, tmp_path, "train")
    assert (encoded.documents, encoded.tokens, encoded.words) == (2, 501, 501)


def test_the_corpus_is_its_texts_ids_without_special_tokens(tmp_path: Path) -> None:
    tokenizer = toy_tokenizer()
    batches = [["w5 w6 w7", ""], ["w8 what w9"], ["w49"]]
    encoded = encode_corpus(batches, tokenizer, tmp_path, "train")
    tokens = open_tokens(tmp_path, "train")
    assert tokens.ids.tolist() == [5, 6, 7, 8, 1, 9, 49]
    assert tokens.offsets.tolist() == [0, 3, 3, 6, 7]
    assert tokens.ids.dtype == np.uint16
    assert (encoded.documents, encoded.tokens, encoded.words, encoded.unknown) == (4, 7, 7, 1)


def test_what_packing_and_masking_know_is_what_the_tokenizer_says() -> None:
    vocabulary = vocabulary_of(toy_tokenizer())
    assert vocabulary.size == 50
    assert vocabulary.special_ids == (0, 1, 2, 3, 4)
    assert (vocabulary.pad_id, vocabulary.cls_id) == (0, 2)
    assert (vocabulary.sep_id, vocabulary.mask_id) == (3, 4)


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))  # noqa: S106
    roles = {"unk_token": "[UNK]", "pad_token": "[UNK]", "cls_token": "a", "sep_token": "a"}
    PreTrainedTokenizerFast(tokenizer_object=backend, **roles).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"tokenise\.tokenizer: .* has no mask token"):
        load_tokenizer(str(tmp_path))


def test_an_empty_directory_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokenise\.tokenizer: .*cannot be loaded from the dir"):
        load_tokenizer(str(tmp_path))
