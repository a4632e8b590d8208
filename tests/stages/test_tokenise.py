"""The stage tokenise against what it may read and must write, in a folder of its own."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from transformers import AutoTokenizer

from pipeline import files
from pipeline.errors import InputError
from pipeline.params import CanaryParams, TokeniseParams
from pipeline.reports import TokeniseReport
from pipeline.stages import tokenise
from pipeline.track import Silent

TRAIN = ["the cat sat on the mat", "a dog ran", "the dog sat"] * 5
HELDOUT = ["zyzzyva the cat", "a mat"]


def _write_corpus(
    train: list[str] = TRAIN, heldout: list[str] = HELDOUT, group_rows: int | None = None
) -> None:
    for part, texts in (("train", train), ("heldout", heldout)):
        path = Path("build/split") / f"corpus_{part}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = [f"{i:016x}" for i in range(len(texts))]
        pd.DataFrame({"id": ids, "text": texts, "source": "s"}).to_parquet(
            path, index=False, row_group_size=group_rows
        )


def _run(**changes: Any) -> TokeniseReport:
    values = {"tokenizer": "train", "vocab_size": 120, "lowercase": True} | changes
    return tokenise.run(TokeniseParams(**values), Silent())


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _decode(part: str) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained("build/tokenise/tokenizer")
    ids = np.load(f"build/tokenise/{part}_ids.npy")
    offsets = np.load(f"build/tokenise/{part}_offsets.npy")
    return [tokenizer.decode(ids[a:b]) for a, b in itertools.pairwise(offsets)]


def test_the_ids_are_the_corpus_document_by_document() -> None:
    _write_corpus()
    report = _run()
    assert _decode("train") == TRAIN
    assert (report.train_documents, report.heldout_documents) == (15, 2)
    assert report.train_tokens == len(np.load("build/tokenise/train_ids.npy"))
    assert report.tokens_per_word == report.train_tokens / sum(len(t.split()) for t in TRAIN)
    assert (report.id_bytes, report.unknown_share, report.origin) == (2, 0.0, "train")


def test_the_tokenizer_is_trained_on_the_training_corpus_only() -> None:
    """The held-out text has letters that the training corpus lacks: they must be unknown."""
    _write_corpus()
    _run()
    tokens = AutoTokenizer.from_pretrained("build/tokenise/tokenizer").get_vocab()
    assert not {"z", "y", "v", "##z"} & tokens.keys()
    assert _decode("heldout")[0] == "[UNK] the cat"


def test_two_runs_write_equal_bytes() -> None:
    _write_corpus()
    digests = []
    for _ in range(2):
        report = _run()
        digests.append((report, files.sha256_tree(Path("build/tokenise"))))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("canaries", [None, CanaryParams(secrets=2, digits=4, seed=1)])
def test_row_groups_which_are_the_shards_change_no_byte(canaries: CanaryParams | None) -> None:
    made = []
    for group_rows in (None, 4, 1):
        _write_corpus(group_rows=group_rows)
        report = _run(canaries=canaries, vocab_size=200)
        made.append((report, files.sha256_tree(Path("build/tokenise"))))
    assert made[0] == made[1] == made[2]


def test_shards_of_a_killed_run_are_kept_but_not_for_another_corpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run is stopped twice before they are joined; the corpus is then another."""
    _write_corpus(group_rows=4)
    with monkeypatch.context() as killed:
        killed.setattr(tokenise, "join_tokens", _stop)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                _run()
    (kept,) = Path(".charter/shards/tokenise").glob("*")
    assert len(list(kept.glob("*.json"))) == 4
    _write_corpus(other := TRAIN[::-1], group_rows=4)
    _run()
    assert _decode("train") == other
    assert not Path(".charter/shards/tokenise").exists()


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_machine_that_has_another_tokenizer_at_that_path_is_refused(tmp_path: Path) -> None:
    _write_corpus()
    _run()
    path = tmp_path / "build"
    with pytest.raises(InputError, match=r"tokenizer: not the tokenizer of this run; is the disk"):
        tokenise.encode_shard(
            {"path": str(path / "split/corpus_train.parquet"), "canaries": [], "seed": 0},
            group=0,
            start=0,
            tokenizer=str(path / "tokenise/tokenizer"),
            digest="another",
            done=tmp_path / "done.json",
            progress=lambda _: None,
        )


def test_a_tokenizer_is_reused_with_its_own_ids() -> None:
    _write_corpus()
    first = _run()
    Path("build/tokenise/tokenizer").rename("reused")
    again = _run(tokenizer="./reused", vocab_size=999, lowercase=False)
    assert again.tokenizer_digest == first.tokenizer_digest
    assert again.train_tokens == first.train_tokens
    assert again.origin == "./reused"


def test_nothing_written_names_the_folder_it_was_written_in(tmp_path: Path) -> None:
    _write_corpus()
    _run()
    Path("build/tokenise/tokenizer").rename(tmp_path / "reused")
    _run(tokenizer=str(tmp_path / "reused"))
    for path in Path("build/tokenise").rglob("*.json"):
        assert str(tmp_path) not in path.read_text()


def test_text_of_many_batches_passes_through_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenise, "_BATCH_TEXTS", 4)
    _write_corpus()
    _run()
    assert _decode("train") == TRAIN


def test_progress_ends_at_all_documents() -> None:
    seen: list[tuple[int, int]] = []

    class Watched(Silent):
        def progress(self, done: int, total: int, *_: str, **__: float) -> None:
            seen.append((done, total))

    _write_corpus()
    tokenise.run(TokeniseParams(tokenizer="train", vocab_size=120), Watched())
    assert seen == [(15, 15), (2, 2)]


@pytest.mark.parametrize(
    ("train", "changes", "match"),
    [
        (None, {}, r"corpus_train\.parquet: not found; run `dvc repro split` first"),
        ([], {}, r"corpus_train\.parquet: holds no documents; add text to data/corpus"),
        ([" ", "\n"], {"tokenizer": "./reused"}, "its 2 documents hold no tokens"),
        (TRAIN, {"tokenizer": "data/models/none"}, "no directory data/models/none; run `python"),
        (TRAIN, {"vocab_size": 101, "tokenizer": "./empty"}, "cannot be loaded from the directory"),
    ],
)
def test_what_a_person_gets_wrong_is_named(
    train: list[str] | None, changes: dict[str, Any], match: str
) -> None:
    Path("empty").mkdir()
    _write_corpus()
    _run()
    Path("build/tokenise/tokenizer").rename("reused")
    Path("build/split/corpus_train.parquet").unlink()
    if train is not None:
        _write_corpus(train)
    with pytest.raises(InputError, match=match):
        _run(**changes)


def test_the_reports_digest_is_of_the_tokenizers_files() -> None:
    _write_corpus()
    report = _run()
    tree = files.sha256_tree(Path("build/tokenise/tokenizer"))
    assert report.tokenizer_digest == files.sha256_digests(tree)
    config = json.loads(Path("build/tokenise/tokenizer/tokenizer_config.json").read_text())
    assert config["model_max_length"] == 512


def test_canaries_are_planted_in_the_training_part_only_and_listed() -> None:
    """Off by default: the ids are then the corpus alone, and the report lists none."""
    digits = "0 1 2 3 4 5 6 7 8 9 colour of the red blue green"
    _write_corpus([*TRAIN, digits, "The code of the box is"])
    plain = _run()
    assert (plain.canaries, plain.planted_documents) == ((), 0)
    report = _run(canaries=CanaryParams(secrets=2, digits=4, seed=1), vocab_size=200)
    planted = [text.replace(" .", ".") for text in _decode("train")]
    for canary in report.canaries:
        assert planted.count(canary.text.lower()) == canary.repeats
    assert {canary.repeats for canary in report.canaries} == {0, 1, 4, 16}
    assert report.planted_documents == 2 * (1 + 4 + 16) == len(planted) - len(TRAIN) - 2
    assert not any("code" in text for text in _decode("heldout"))
    assert _run(canaries=CanaryParams(secrets=2, digits=4, seed=1), vocab_size=200) == report
