"""The model that is published, as a stock sequence classifier, and its tokenizer."""

from typing import Any

from pipeline import layout, reports
from pipeline.encoder import classifier
from pipeline.encoder.assemble import assemble
from pipeline.encoder.head import load_head
from pipeline.encoder.loading import load_encoder
from pipeline.encoder.tokenizer import load_tokenizer
from pipeline.reports import FeaturesReport, FinetuneReport

MAX_DIFFERENCE = 1e-3  # of a probability in float32: what differs by more is not rounding


def shipped_model(finetuned: FinetuneReport) -> Any:
    """Return the encoder with its head, or in mode full the model that was fine-tuned.

    Raises:
        InputError: where a stage before has not run.
    """
    if finetuned.mode == "full":
        return classifier.load_sequence_model(layout.stage_dir("finetune") / "model")
    encoder = load_encoder(layout.encoder_dir() / "model")
    head = load_head(layout.stage_dir("finetune"))
    return assemble(encoder, head, reports.read(FeaturesReport).pooling, finetuned.labels)


def shipped_tokenizer() -> Any:
    """Return the tokenizer, which truncates texts as for the head's features."""
    tokenizer = load_tokenizer(str(layout.encoder_dir() / "model"), str(layout.encoder_dir()))
    tokenizer.model_max_length = reports.read(FeaturesReport).max_len_tokens
    return tokenizer
