"""``python -m pipeline compare FILE``: challenger and champion on fresh labelled rows.

Nobody checks that the rows are fresh: a model scores too high on rows that it was trained on.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline import challenge, champion, drift, files, trust
from pipeline.adapters.registry import Registry, Version
from pipeline.champion import CHALLENGER, CHAMPION
from pipeline.drift import Labelled
from pipeline.errors import InputError
from pipeline.measure import intervals, paired
from pipeline.params import BundleParams
from pipeline.policy import rules
from pipeline.reports import Estimate, PairedTest, Report

_CONFIDENCE = 0.95


class Measured(Report):
    """Two classifiers' answers to the same labelled rows."""

    test: PairedTest  # of accuracies, challenger minus champion
    disagreement: Estimate  # share of rows that the two answer differently
    challenger: Estimate  # accuracies
    champion: Estimate


class Comparison(Report):
    """A version and the champion on the rows of a file."""

    name: str
    challenger: str  # versions in the registry
    champion: str
    rows_sha256: str  # of every file
    measured: Measured

    def summary(self) -> str:
        """Return the comparison for a terminal."""
        found = self.measured
        p = "undefined" if found.test.p_value is None else f"{found.test.p_value:.3g}"
        return (
            f"{self.name}: version {self.challenger} against version {self.champion}, champion\n"
            f"accuracy      {_show(found.challenger)} against {_show(found.champion)}\n"
            f"difference    {_show(found.test.difference)}, p = {p}\n"
            f"disagreement  {_show(found.disagreement)}"
        )


def compare(params: BundleParams, path: Path, number: str | None = None) -> Comparison:
    """Compare a version, by default the challenger, with the champion on a file's rows.

    Both bundles are verified before they are loaded. The comparison is logged, without any text.

    Raises:
        InputError: where there are not two versions, one was changed, or no row can be read.
    """
    registry = Registry(params.name)
    ours, theirs = _find_both(registry, number)
    folders = _verify(registry, ours), _verify(registry, theirs)
    labels = _labels(folders)
    rows = _read(path, labels)
    answers = [challenge.answer(folder, list(rows.texts)) for folder in folders]
    found = Comparison(
        name=params.name,
        challenger=ours.number,
        champion=theirs.number,
        rows_sha256=_digest(path),
        measured=measure(answers[0], answers[1], rows.labels),
    )
    champion.record("compare", registry, ours, comparison=found.model_dump(mode="json"))
    return found


def measure(ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray) -> Measured:
    """Compare two lists of answers (n,) to rows of these labels (n,), row by row."""
    right, their_right = ours == labels, theirs == labels
    return Measured(
        test=paired.compare(CHAMPION, right, their_right, _CONFIDENCE),
        disagreement=_share(ours != theirs),
        challenger=_share(right),
        champion=_share(their_right),
    )


def _share(rows: np.ndarray) -> Estimate:
    return intervals.wilson(int(rows.sum()), len(rows), _CONFIDENCE)


def _find_both(registry: Registry, number: str | None) -> tuple[Version, Version]:
    theirs = registry.at(CHAMPION)
    ours = registry.get(number) if number else registry.at(CHALLENGER)
    if theirs is None:
        raise InputError(f"{registry.name}: has no champion to compare with")
    if ours is None or ours.number == theirs.number:
        raise InputError(
            f"{registry.name}: has no version but the champion; name one with --version"
        )
    return ours, theirs


def _verify(registry: Registry, version: Version) -> Path:
    return trust.check_version(registry, version, rules.load()).folder


def _labels(folders: Sequence[Path]) -> tuple[str, ...]:
    ours, theirs = map(challenge.read_labels, folders)
    if ours != theirs:
        raise InputError(
            f"the challenger's labels are {', '.join(ours)} and the champion's"
            f" {', '.join(theirs)}: they cannot be compared"
        )
    return ours


def _read(path: Path, labels: Sequence[str]) -> Labelled:
    rows = drift.read_labelled(path, labels)
    if not len(rows.ids):
        raise InputError(f"{path}: holds no row with a text")
    unknown = int((rows.labels < 0).sum())
    if unknown:
        raise InputError(
            f"{path}: {unknown} rows have a label that is none of {', '.join(labels)}; correct them"
        )
    return rows


def _digest(path: Path) -> str:
    if path.is_file():
        return files.sha256_file(path)
    return files.sha256_digests(files.sha256_tree(path))


def _show(estimate: Estimate) -> str:
    if estimate.point is None or estimate.low is None or estimate.high is None:
        return f"undefined ({estimate.note})"
    return f"{estimate.point:.4f} [{estimate.low:.4f}, {estimate.high:.4f}], n = {estimate.n:,}"
