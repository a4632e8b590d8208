"""The data that heads are fitted to: cached features with labels and groups."""

from collections.abc import Mapping

import numpy as np
import torch

from pipeline import layout
from pipeline import params as settings
from pipeline.adapters import rows
from pipeline.adapters.rows import Rows
from pipeline.encoder.features import load_extractor
from pipeline.encoder.fitting import Sample
from pipeline.encoder.mitigation import Material
from pipeline.text import gender_swap, identity
from pipeline.track import Track


def read_material(
    parts: Mapping[str, Rows], column: str | None, swap: bool, track: Track
) -> Material:
    """Read the features of the parts train and validation; ``swap`` asks for the swapped texts.

    Raises:
        InputError: where the stage features has not run, or a feature is not finite.
    """
    samples = {part: read_sample(part, parts[part]) for part in ("train", "validation")}
    return make_material(parts["train"], column, swap, track, **samples)


def make_material(
    read: Rows, column: str | None, swap: bool, track: Track, *, train: Sample, validation: Sample
) -> Material:
    """Return the data for fitting heads; ``train`` are the features of the rows ``read``."""
    swapped, of = _swap_texts(read, track) if swap else (None, None)
    groups = None if column is None else read_groups(read, column)
    return Material(train, validation, groups, swapped, of)


def read_groups(read: Rows, column: str) -> np.ndarray | None:
    """Return the groups (n,) of a column of the data, or by the term lists if the data lacks it.

    None if neither has the column.
    """
    if column in read.groups or column not in identity.COLUMNS:
        return read.groups.get(column)
    return identity.derive(column, read.texts)


def read_sample(part: str, read: Rows) -> Sample:
    """Read a part's features.

    Raises:
        InputError: where they are absent, of other rows, or not finite.
    """
    features = rows.read_features(part, read)
    return Sample(torch.from_numpy(features), torch.from_numpy(read.labels))


def _swap_texts(train: Rows, track: Track) -> tuple[Sample, np.ndarray] | tuple[None, None]:
    """Return the training texts with a gendered word, swapped, with their labels and row numbers.

    Their features are computed once and cached, as for all texts.
    """
    places = [place for place, text in enumerate(train.texts) if gender_swap.has_term(text)]
    if not places:
        return None, None
    model, params = layout.encoder_dir() / "model", settings.load().features
    features = load_extractor(model, params, layout.FEATURE_CACHE).features(
        [gender_swap.swap(train.texts[place]) for place in places],
        lambda done, total: track.progress(done, total, "texts"),
    )
    swapped = Sample(torch.from_numpy(features), torch.from_numpy(train.labels[places]))
    return swapped, np.array(places)
