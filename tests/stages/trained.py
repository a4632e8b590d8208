"""A small trained model where evaluate and audit look for one: real stages, made-up rows."""

import csv
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import report_factory
import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from pipeline import layout, params, reports
from pipeline.adapters import rows
from pipeline.encoder.digest import encoder_digest
from pipeline.stages import evaluate, features, finetune, split
from pipeline.track import Silent

ROOT = Path(__file__).parents[2]
LABELS = ("negative", "positive")
GOOD, BAD = ("fine", "lovely", "great", "bright"), ("poor", "awful", "dull", "cold")
PEOPLE = {"female": "woman", "male": "man", "none": "visitor"}
PLACES = ("garden", "kitchen", "office", "station", "library", "market", "harbour", "theatre")
FILLER = ("the", "saw", "a", "in", "on", "and", "it", "was", "he", "she", "is", "her", "his", ".")
SIZES = {"train": 300, "validation": 90, "test": 150}
PAIRS = [
    ("the man was dull", "the woman was dull", "stereo", "gender"),
    ("a woman is cold and poor", "a man is cold and poor", "stereo", "gender"),
    ("she was great in the office", "he was great in the office", "antistereo", "gender"),
    ("a visitor is awful", "a man is awful", "stereo", "nationality"),
]


def build_world(folder: Path, *, evaluated: bool = False, **options: Any) -> Path:
    """Make the folder and write to it what `build` does with these options; return it.

    ``evaluated`` runs the stage evaluate too, with few resamples.
    """
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build(folder, **options)
        if evaluated:
            section = params.load().evaluate.model_copy(update={"resamples": 100})
            reports.write("evaluate", evaluate.run(section, Silent()))
    return folder


def build(folder: Path, planted: bool = False, learning_rate: float = 1e-4) -> None:
    """Write build/ up to finetune below ``folder``, which must be the working directory.

    ``planted`` makes the label depend on a term: four in five texts about a woman are negative,
    whatever they say.
    """
    for name in ("params.yaml", "policy.yaml"):
        shutil.copy(ROOT / name, folder / name)
    text = (folder / "params.yaml").read_text().replace("max_len_tokens: 128", "max_len_tokens: 16")
    text = text.replace("learning_rate: 1.0e-4", f"learning_rate: {learning_rate}")
    (folder / "params.yaml").write_text(text)
    _write_split(planted)
    _write_encoder()
    _write_pairs()
    sections = params.load()
    reports.write("features", features.run(sections.features, Silent()))
    reports.write("finetune", finetune.run(sections.finetune, Silent()))


def _write_split(planted: bool) -> None:
    draw, parts = random.Random(1), {}
    seen: set[str] = set()
    for part, size in SIZES.items():
        table = pa.Table.from_pylist(
            [_row(draw, seen, part, planted) for _ in range(size)]
        ).sort_by("id")
        rows.split_path(part).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, rows.split_path(part))
        parts[part] = split.describe(table, LABELS)
    report = reports.SplitReport(
        label_names=LABELS, corpus_train_documents=1, corpus_heldout_documents=1, **parts
    )
    reports.write("split", report)


def _row(draw: random.Random, seen: set[str], part: str, planted: bool) -> dict[str, object]:
    """A sentence whose word gives its label, one time in ten wrongly; texts differ.

    The domain "radio" is in training rows only, and "tram" in few rows.
    """
    while True:
        label = draw.randrange(2)
        gender = draw.choice(list(PEOPLE))
        words = BAD if (label == 0) != (draw.random() < 0.1) else GOOD
        place, other = draw.choice(PLACES), draw.choice(PLACES)
        text = f"the {PEOPLE[gender]} saw a {draw.choice(words)} {place} and it was {other} ."
        if text not in seen:
            break
    seen.add(text)
    label = 0 if planted and gender == "female" and draw.random() < 0.8 else label
    domain = "radio" if part == "train" and draw.random() < 0.1 else draw.choice(["film", "news"])
    domain = "tram" if draw.random() < 0.05 else domain
    name = f"{draw.getrandbits(64):016x}"
    return {"id": name, "text": text, "label": label, "domain": domain, "gender": gender}


def _write_encoder() -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += [*FILLER, *GOOD, *BAD, *PEOPLE.values(), *PLACES]
    torch.manual_seed(3)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=len(words),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=32,
            initializer_range=0.3,
        )
    )
    folder = layout.stage_dir("pretrain") / "model"
    model.save_pretrained(folder)
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    made, digest = report_factory.make(), encoder_digest(folder)
    changes = {"encoder_digest": digest}
    reports.write("pretrain", made["pretrain"].model_copy(update=changes))
    changes |= {"teacher_digest": digest}
    reports.write("compress", made["compress"].model_copy(update=changes))
    plain = {"canaries": (), "planted_documents": 0}
    reports.write("tokenise", made["tokenise"].model_copy(update=plain))


def _write_pairs() -> None:
    path = layout.BENCHMARKS / "crows_pairs.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(["", "sent_more", "sent_less", "stereo_antistereo", "bias_type"])
        lines.writerows([i, *pair] for i, pair in enumerate(PAIRS))
