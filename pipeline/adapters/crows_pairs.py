"""CrowS-Pairs (Nangia et al. 2020) as its authors publish it: data/benchmarks/crows_pairs.csv."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.sample import draw
from pipeline.errors import InputError

DIRECTIONS = ("stereo", "antistereo")
_COLUMNS = ("sent_more", "sent_less", "stereo_antistereo", "bias_type")
_MEND = "download the authors' file again"


@dataclass(frozen=True)
class Pair:
    """Two sentences that differ in whom they are about."""

    more: str  # stereotypes more
    less: str
    direction: str  # one of DIRECTIONS
    bias_type: str


def read_pairs(path: Path, limit: int | None) -> list[Pair]:
    """Read the pairs in the file's order; if there are more than ``limit``, a sample by hash.

    Raises:
        InputError: naming the line of a cell that is empty or unknown, or a column that is absent.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            pairs = list(_parse(csv.DictReader(stream), path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; {_MEND}") from error
    if not pairs:
        raise InputError(f"{path}: holds no pairs; {_MEND}")
    return draw(pairs, limit, lambda pair: f"{pair.more}\n{pair.less}")


def _parse(reader: "csv.DictReader[str]", path: Path) -> Iterator[Pair]:
    if lacking := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
        raise InputError(f"{path}: has no column {lacking[0]!r}; {_MEND}")
    for row in reader:
        pair = Pair(*(row[name] for name in _COLUMNS))
        if not all(row[name] for name in _COLUMNS) or pair.direction not in DIRECTIONS:
            raise InputError(
                f"{path}:{reader.line_num}: {', '.join(_COLUMNS)} must be filled, and "
                f"stereo_antistereo be {' or '.join(DIRECTIONS)}; {_MEND}"
            )
        yield pair
