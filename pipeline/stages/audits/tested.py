"""Reading the test rows with the answers that the stage evaluate recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from pipeline import layout, reports
from pipeline.adapters import rows
from pipeline.errors import InputError
from pipeline.measure.outcomes import Outcomes
from pipeline.reports import FinetuneReport


@dataclass(frozen=True)
class Tested:
    """The test rows with the answers that the stage evaluate recorded."""

    texts: Sequence[str]
    outcomes: Outcomes
    groups: Mapping[str, np.ndarray]  # column -> values (n,)


def read_tested() -> Tested:
    """Read build/evaluate/predictions.parquet.

    Raises:
        InputError: where it is absent, or of other rows than build/split/test.parquet.
    """
    labels = reports.read(FinetuneReport).labels
    path = layout.stage_dir("evaluate") / "predictions.parquet"
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro evaluate` first")
    table, test = pq.read_table(path), rows.read_split("test")
    if tuple(table.column("id").to_pylist()) != test.ids:
        raise InputError(f"{path}: has other rows than {rows.split_path('test')}; run `dvc repro`")
    columns = [table.column(f"probability_{k}").to_numpy() for k in range(len(labels))]
    outcomes = Outcomes(test.labels, np.stack(columns, axis=1), labels)
    return Tested(test.texts, outcomes, test.groups)
