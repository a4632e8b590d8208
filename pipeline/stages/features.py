"""Features: the frozen encoder is run once over each labelled text, and its output pooled."""

import numpy as np

from pipeline import layout, reports
from pipeline.adapters import rows, sample
from pipeline.encoder.features import Extractor, load_extractor, tokenise, write_rows
from pipeline.encoder.rounding import check_rounding
from pipeline.errors import InputError
from pipeline.params import FeaturesParams
from pipeline.reports import CompressReport, FeaturesReport, Rounding
from pipeline.track import Track

PARTS = ("train", "validation", "test")
_COMPARED_TEXTS = 64  # in both precisions


def run(params: FeaturesParams, track: Track) -> FeaturesReport:
    """Write build/features: for each part a float32 array (rows, width), in build/split's order.

    The encoder is in eval mode, without dropout, so that a text always has the same vector.

    Raises:
        InputError: where an earlier stage has not run, the encoder is not the reported one, or its
            features in bfloat16 are too far from those in float32.
    """
    folder = layout.encoder_dir()
    extractor = load_extractor(folder / "model", params, layout.FEATURE_CACHE)
    if extractor.digest != reports.read(CompressReport).encoder_digest:
        raise InputError(f"{folder}/model: changed since its report; run `dvc repro compress`")
    parts = {part: rows.read_split(part) for part in PARTS}
    for part, read in parts.items():
        track.dataset(part, rows.split_path(part), len(read.ids), read.digest)
    texts = [text for read in parts.values() for text in read.texts]
    tokens = tokenise(texts, extractor.tokenizer, params.max_len_tokens)
    rounding = _check_rounding(extractor, texts)
    features = extractor.features(texts, lambda done, total: track.progress(done, total, "texts"))
    _write(parts, features)
    return FeaturesReport(
        texts=len(texts),
        width=features.shape[1],
        tokens=sum(map(len, tokens.ids)),
        truncated_texts=tokens.truncated,
        pooling=params.pooling,
        max_len_tokens=params.max_len_tokens,
        precision=extractor.precision,
        rounding=rounding,
        encoder_digest=extractor.digest,
    )


def _check_rounding(extractor: Extractor, texts: list[str]) -> Rounding | None:
    """In bfloat16, compare some texts in both precisions before all are run."""
    if extractor.precision == "float32":
        return None
    drawn = sample.draw(list(dict.fromkeys(texts)), _COMPARED_TEXTS, str)
    exact = load_extractor(extractor.folder, extractor.params.exact, layout.FEATURE_CACHE)
    return check_rounding(exact.features(drawn), extractor.features(drawn))


def _write(parts: dict[str, rows.Rows], features: np.ndarray) -> None:
    ends = np.cumsum([len(read.ids) for read in parts.values()])
    for part, array in zip(parts, np.split(features, ends[:-1]), strict=True):
        write_rows(layout.stage_dir("features") / f"{part}.npy", array)
