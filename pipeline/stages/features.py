"""Features: the frozen encoder is run once over each labelled text, and pooled."""

import numpy as np

from pipeline import files, layout, reports
from pipeline.adapters import rows
from pipeline.encoder.features import load_extractor, tokenise
from pipeline.errors import InputError
from pipeline.params import FeaturesParams
from pipeline.reports import CompressReport, FeaturesReport
from pipeline.track import Track

PARTS = ("train", "validation", "test")


def run(params: FeaturesParams, track: Track) -> FeaturesReport:
    """Write build/features: a float32 array (rows, width) a part, in the order of build/split.

    The encoder is in eval mode: its dropout is off, so that a text has one vector.

    Raises:
        InputError: where an earlier stage has not run, or the encoder is not what was reported.
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
    features = extractor.features(texts, lambda done, total: track.progress(done, total, "texts"))
    _write(parts, features)
    return FeaturesReport(
        texts=len(texts),
        width=features.shape[1],
        tokens=sum(map(len, tokens.ids)),
        truncated_texts=tokens.truncated,
        pooling=params.pooling,
        max_len_tokens=params.max_len_tokens,
        encoder_digest=extractor.digest,
    )


def _write(parts: dict[str, rows.Rows], features: np.ndarray) -> None:
    ends = np.cumsum([len(read.ids) for read in parts.values()])
    for part, array in zip(parts, np.split(features, ends[:-1]), strict=True):
        path = layout.stage_dir("features") / f"{part}.npy"
        with files.replacing(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, array)
