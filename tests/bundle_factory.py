"""A workspace in which every stage has run: a tiny real model, its bundle, rows and reports."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import report_factory
import tokenizers
import torch
import transformers
from tokenizers import models, pre_tokenizers, processors

from pipeline import files, layout, reports
from pipeline.adapters import rows

ROOT = Path(__file__).parents[1]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]
NAME = "charter-test"


def build(name: str = NAME, seed: int = 0, right: float = 0.8, **finetune: Any) -> None:
    """Fill the working directory, as if `dvc repro` had run there.

    Of the test rows the model has the share ``right`` right; ``finetune`` is laid over the report
    of that stage.
    """
    for file in ("policy.yaml", "params.yaml", "requirements.lock"):
        shutil.copy(ROOT / file, file)
    Path("data.dvc").write_text("outs:\n- md5: 0123456789abcdef.dir\n  path: data\n")
    made = report_factory.write(files.sha256_file(layout.POLICY))
    finetuned = made["finetune"].model_copy(update=finetune)
    reports.write("finetune", finetuned)
    files.write_text(layout.stage_dir("report") / "index.html", "<p>A report.</p>")
    _write_rows(right)
    write_bundle(name, seed)


def _write_rows(right: float, count: int = 600) -> None:
    texts = [f"{WORDS[5 + row % 2]} film {row}" for row in range(count)]
    labels = np.arange(count) % 2
    ids = tuple(f"{row:016x}" for row in range(count))
    said = np.where(np.arange(count) < right * count, labels, 1 - labels)
    rows.write_table(rows.split_path("test"), {"id": ids, "text": texts, "label": labels})
    predictions = layout.stage_dir("evaluate") / "predictions.parquet"
    rows.write_table(predictions, {"id": ids, "label": labels, "predicted": said})


def write_bundle(name: str, seed: int, spread: float = 0.02) -> None:
    """Make build/bundle of the reports that are there; weights that spread more answer apart."""
    folder = layout.stage_dir("bundle")
    shutil.rmtree(folder)
    save_model(folder, seed, spread)
    for stage in reports.STAGE_REPORTS:
        if stage != "bundle":
            kept = folder / "reports" / f"{stage}.json"
            kept.parent.mkdir(exist_ok=True)
            shutil.copy(layout.report_path(stage), kept)
    digests = files.sha256_tree(folder)
    files.write_json(folder / files.DIGESTS, digests)
    report = report_factory.make()["bundle"]
    changes = {"name": name, "files": digests, "digest": files.sha256_digests(digests)}
    reports.write("bundle", report.model_copy(update=changes))


def save_model(folder: Path, seed: int, spread: float = 0.02) -> None:
    """Save a classifier of 8 units with weights drawn from ``seed``, and its tokenizer."""
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=16,
        initializer_range=spread,
        id2label=dict(enumerate(report_factory.LABELS)),
        label2id={label: place for place, label in enumerate(report_factory.LABELS)},
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)


def _tokenizer() -> Any:
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    words = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {
        f"{word.lower()}_token": f"[{word}]" for word in ("UNK", "PAD", "CLS", "SEP", "MASK")
    }
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, model_max_length=16, **special
    )
