"""The challenger against the champion: both answer the same texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipeline import files, layout, reports
from pipeline.adapters import rows
from pipeline.adapters.registry import Registry, Version
from pipeline.champion import CHAMPION
from pipeline.errors import InputError
from pipeline.policy.gate import ChampionComparison
from pipeline.reports import Estimate, FinetuneReport


def compare(registry: Registry, champion: Version, evidence: dict[str, Any]) -> ChampionComparison:
    """Compare build/bundle's answers to the test rows with the champion's, row by row.

    ``evidence`` is the bundle's reports as JSON. Where they cannot be compared the difference is
    undefined, and its note says why.
    """
    confidence = evidence["evaluate"]["model"]["accuracy"]["confidence"]
    tested = rows.read_split("test")
    ours = pq.read_table(layout.stage_dir("evaluate") / "predictions.parquet")
    assert tuple(ours["id"].to_pylist()) == tested.ids
    try:
        folder = registry.fetch(champion)
        _check_labels(read_labels(folder), evidence["finetune"]["labels"])
        theirs = answer(folder, tested.texts)
    except InputError as error:
        nothing = Estimate(point=None, low=None, high=None, n=0, note=str(error))
        return ChampionComparison(version=champion.number, difference=nothing, p_value=None)
    from pipeline.measure import paired  # with SciPy, which takes a second

    test = paired.compare(
        CHAMPION,
        ours["predicted"].to_numpy() == tested.labels,
        theirs == tested.labels,
        confidence,
    )
    return ChampionComparison(
        version=champion.number, difference=test.difference, p_value=test.p_value
    )


def _check_labels(theirs: Sequence[str], ours: Sequence[str]) -> None:
    if list(theirs) != list(ours):
        raise InputError(
            f"the champion's labels are {', '.join(theirs)} and the bundle's"
            f" {', '.join(ours)}; publish other labels under another bundle.name"
        )


def read_labels(folder: Path) -> tuple[str, ...]:
    """Return the names of a bundle's labels, in the order of its answers."""
    where = folder / "reports" / "finetune.json"
    return reports.parse(FinetuneReport, files.read_json(where), str(where), "finetune").labels


def answer(folder: Path, texts: Sequence[str]) -> np.ndarray:
    """Return a bundle's answers (n,) to texts: the places of the likeliest labels."""
    from pipeline.encoder import classifier

    return classifier.load_bundle(folder).probabilities(texts).argmax(axis=1)
